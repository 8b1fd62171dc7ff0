// SPDX-License-Identifier: Apache-2.0
// Matching by the rules of the tokenizers library (tokenizers/src/tokenizer/added_vocabulary.rs).
#include "regard/tokenizer/added_tokens.h"

#include <algorithm>
#include <numeric>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

// Where the last character of text[0, end) begins; end > 0.
std::size_t previous(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && (unicode_flags(decode_utf8(text, previous(text, at)).value) & kWord);
}

bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && (unicode_flags(decode_utf8(text, at).value) & kWord);
}

std::size_t skip_space_left(std::string_view text, std::size_t at) {
  while (at > 0) {
    const std::size_t before = previous(text, at);
    if (!(unicode_flags(decode_utf8(text, before).value) & kSplitSpace)) break;
    at = before;
  }
  return at;
}

std::size_t skip_space_right(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text, at);
    if (!(unicode_flags(point.value) & kSplitSpace)) break;
    at += point.size;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<std::string> patterns, std::vector<int> numbers) {
  std::vector<std::size_t> order(patterns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto byte_a = static_cast<unsigned char>(patterns[a][0]);
    const auto byte_b = static_cast<unsigned char>(patterns[b][0]);
    if (byte_a != byte_b) return byte_a < byte_b;
    return patterns[a].size() > patterns[b].size();
  });
  first_.assign(257, 0);
  for (const std::size_t i : order) {
    ++first_[static_cast<unsigned char>(patterns[i][0]) + std::size_t{1}];
    numbers_.push_back(numbers[i]);
    patterns_.push_back(std::move(patterns[i]));
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
}

std::vector<AddedMatch> AddedTokenMatcher::split(std::string_view text,
                                                 const std::vector<AddedToken>& tokens) const {
  std::vector<AddedMatch> out;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !patterns_.empty();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::uint32_t found = first_[byte];
    const std::uint32_t end = first_[byte + std::size_t{1}];
    while (found < end && !text.substr(at).starts_with(patterns_[found])) ++found;
    if (found == end) {
      ++at;
      continue;
    }
    std::size_t start = at;
    std::size_t stop = at + patterns_[found].size();
    at = stop;
    const AddedToken& token = tokens[static_cast<std::size_t>(numbers_[found])];
    if (token.single_word && (word_before(text, start) || word_after(text, stop))) continue;
    if (token.lstrip) start = std::max(skip_space_left(text, start), done);
    if (token.rstrip) stop = skip_space_right(text, stop);
    if (start >= stop) continue;  // white space that the match before has taken
    if (done < start) out.push_back({-1, {done, start}});
    out.push_back({numbers_[found], {start, stop}});
    done = stop;
  }
  if (done < text.size()) out.push_back({-1, {done, text.size()}});
  return out;
}

}  // namespace regard
