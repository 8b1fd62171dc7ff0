// SPDX-License-Identifier: Apache-2.0
// The longest pattern at each place is found on reversed patterns in the reversed text: there it is
// the longest that ends at the place.
#include "regard/tokenizer/pattern_set.h"

#include <algorithm>
#include <string>
#include <utility>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::size_t kMostNodes = std::size_t{8} << 20;

}  // namespace

std::size_t PatternSet::slot(std::uint32_t from, unsigned char byte) const {
  const std::size_t mask = edges_.size() - 1;
  std::size_t at = ((std::uint64_t{from} << 8 | byte) * 0x9E3779B97F4A7C15u) >> 20 & mask;
  while (edges_[at].to != 0 && (edges_[at].from != from || edges_[at].byte != byte)) {
    at = (at + 1) & mask;
  }
  return at;
}

std::uint32_t PatternSet::child(std::uint32_t from, unsigned char byte) const {
  if (from == 0) return first_[byte];
  return edges_.empty() ? 0 : edges_[slot(from, byte)].to;
}

void PatternSet::add_edge(std::uint32_t from, unsigned char byte, std::uint32_t to) {
  if (from == 0) {
    first_[byte] = to;
    return;
  }
  if ((edge_count_ + 1) * 2 > edges_.size()) {
    const std::vector<Edge> old = std::move(edges_);
    edges_.assign(std::max<std::size_t>(64, old.size() * 2), Edge{0, 0, 0});
    for (const Edge& edge : old) {
      if (edge.to != 0) edges_[slot(edge.from, edge.byte)] = edge;
    }
  }
  edges_[slot(from, byte)] = {from, to, byte};
  ++edge_count_;
}

void PatternSet::insert(std::string_view pattern, std::int64_t value) {
  if (nodes_.empty()) nodes_.emplace_back();
  std::uint32_t at = 0;
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = child(at, byte);
    if (next == 0) {
      if (nodes_.size() > kMostNodes) throw Error::at(file_, key_, "at most 8 MiB", "more");
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      add_edge(at, byte, next);
    }
    at = next;
  }
  if (nodes_[at].pattern != 0) return;
  patterns_.push_back({value, pattern.size()});
  nodes_[at].pattern = static_cast<std::uint32_t>(patterns_.size());
}

void PatternSet::build() {
  // The edges by the state that they leave.
  std::vector<std::uint32_t> begins(nodes_.size() + 1, 0);
  for (const Edge& edge : edges_) begins[edge.from] += edge.to != 0;
  for (std::uint32_t sum = 0; std::uint32_t& begin : begins)
    begin = std::exchange(sum, sum + begin);
  std::vector<Edge> sorted(edge_count_);
  std::vector<std::uint32_t> filled(begins);
  for (const Edge& edge : edges_) {
    if (edge.to != 0) sorted[filled[edge.from]++] = edge;
  }
  // Level by level, so that a state's fail is known before its children's.
  std::vector<std::uint32_t> queue;
  queue.reserve(nodes_.size());
  for (const std::uint32_t to : first_) {
    if (to != 0) queue.push_back(to);
  }
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t from = queue[i];
    for (std::uint32_t e = begins[from]; e < begins[from + 1]; ++e) {
      Node& node = nodes_[sorted[e].to];
      node.fail = next(nodes_[from].fail, sorted[e].byte);
      node.shorter = nodes_[node.fail].pattern != 0 ? node.fail : nodes_[node.fail].shorter;
      queue.push_back(sorted[e].to);
    }
  }
}

std::uint32_t PatternSet::next(std::uint32_t state, unsigned char byte) const {
  while (true) {
    const std::uint32_t to = child(state, byte);
    if (to != 0 || state == 0) return to;
    state = nodes_[state].fail;
  }
}

void PrefixSet::insert(std::string_view pattern, std::int64_t value) {
  reversed_.insert(std::string(pattern.rbegin(), pattern.rend()), value);
}

std::vector<PrefixSet::Match> PrefixSet::find(std::string_view text) const {
  std::vector<Match> out;
  if (empty()) return out;
  std::uint32_t state = 0;
  for (std::size_t at = text.size(); at > 0;) {
    --at;
    state = reversed_.next(state, static_cast<unsigned char>(text[at]));
    reversed_.ends(state, [&](const PatternSet::Match& match) {
      out.push_back({at, match.length, match.value});
      return false;
    });
  }
  return out;
}

}  // namespace regard
