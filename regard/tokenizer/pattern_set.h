// SPDX-License-Identifier: Apache-2.0
// Many patterns looked for at once (Aho and Corasick 1975, doi:10.1145/360825.360855): the time is
// that of the text and the matches, however long the patterns are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regard {

// The automaton. Thread safety: any number of readers after build().
class PatternSet {
 public:
  struct Match {
    std::int64_t value;
    std::size_t length;
  };

  // What the patterns are, for errors.
  explicit PatternSet(std::string file = {}, std::string key = {})
      : file_(std::move(file)), key_(std::move(key)) {}

  // Patterns are not empty; of equal ones the first counts. Throws Error for more than 8 MiB.
  void insert(std::string_view pattern, std::int64_t value);
  void build();
  bool empty() const { return patterns_.empty(); }

  // The state after one more byte; 0 is the first one.
  std::uint32_t next(std::uint32_t state, unsigned char byte) const;
  // Calls visit(Match) for the patterns that end here, the longest first, while it returns true.
  template <typename Visit>
  void ends(std::uint32_t state, const Visit& visit) const {
    for (std::uint32_t at = state; at != 0; at = nodes_[at].shorter) {
      if (nodes_[at].pattern != 0 && !visit(patterns_[nodes_[at].pattern - 1])) return;
    }
  }

 private:
  struct Node {
    std::uint32_t fail = 0;     // the longest other state that ends like this one
    std::uint32_t shorter = 0;  // the longest such state that ends a pattern
    std::uint32_t pattern = 0;  // index + 1 of the pattern that ends here
  };
  struct Edge {
    std::uint32_t from, to;  // to 0: free
    unsigned char byte;
  };
  std::size_t slot(std::uint32_t from, unsigned char byte) const;
  std::uint32_t child(std::uint32_t from, unsigned char byte) const;
  void add_edge(std::uint32_t from, unsigned char byte, std::uint32_t to);

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;  // open addressing
  std::size_t edge_count_ = 0;
  std::uint32_t first_[256] = {};  // edges of the first state
  std::vector<Match> patterns_;
  std::string file_, key_;
};

// For each place of a text the longest of several patterns that begins there.
// Thread safety: immutable after build().
class PrefixSet {
 public:
  struct Match {
    std::size_t start, length;
    std::int64_t value;
  };
  explicit PrefixSet(std::string file = {}, std::string key = {})
      : reversed_(std::move(file), std::move(key)) {}
  // As PatternSet's.
  void insert(std::string_view pattern, std::int64_t value);
  void build() { reversed_.build(); }
  bool empty() const { return reversed_.empty(); }
  // Those of the whole text, the last place first, in time linear in it; places may overlap.
  std::vector<Match> find(std::string_view text) const;

 private:
  PatternSet reversed_;
};

}  // namespace regard
