// SPDX-License-Identifier: Apache-2.0
// SentencePiece's Normalizer::Normalize (src/normalizer.cc): the character map by the longest
// match, spaces trimmed and run together, one put in front, and all of them written as U+2581.
#include "regard/tokenizer/sentencepiece_normalizer.h"

#include <algorithm>

#include "regard/platform/utf8.h"

namespace regard {
namespace {

constexpr std::string_view kMark = "\u2581";

// What the old text's next stretch becomes, and its bytes.
struct Step {
  std::string_view becomes;
  std::size_t size;
};

// Without user-defined pieces.
Step step_at(std::string_view rest, const SentencePieceNormalizer& options) {
  if (options.map) {
    if (const auto found = options.map->longest(rest)) return {found->first, found->second};
  }
  const std::size_t size = decode_utf8(rest, 0).size;
  return {rest.substr(0, size), size};
}

}  // namespace

void apply_sentencepiece(NormalText& text, const SentencePieceNormalizer& options,
                         const TextBudget& budget) {
  const std::string old(text.view());
  const std::string_view space = options.escape_whitespaces ? kMark : std::string_view(" ");
  Rewriter rewriter(text);
  const auto put = [&](std::string_view with, Span origin) {
    for (std::size_t at = 0; at < with.size();) {
      const CodePoint point = decode_utf8(with, at);
      rewriter.insert(point.value, origin);
      at += point.size;
    }
  };
  // Bytes written up to the last that is no space.
  std::vector<std::pair<std::string, Span>> out;
  bool after_space = options.remove_extra_whitespaces;  // spaces here are dropped
  bool first = true;
  std::vector<PrefixSet::Match> user_defined = options.user_defined.find(old);
  std::size_t size = 0;  // bytes of `out`
  for (std::size_t at = 0; at < old.size();) {
    while (!user_defined.empty() && user_defined.back().start < at) user_defined.pop_back();
    const std::string_view rest = std::string_view(old).substr(at);
    Step step;
    if (!user_defined.empty() && user_defined.back().start == at) {
      step.size = user_defined.back().length;
      step.becomes = rest.substr(0, step.size);
    } else {
      step = step_at(rest, options);
    }
    budget.demand(size += step.becomes.size());
    const Span origin = text.original(at, at + step.size);
    at += step.size;
    std::string_view becomes = step.becomes;
    if (first && options.remove_extra_whitespaces) {
      // Leading spaces: a stretch that becomes one is passed.
      if (becomes == " ") continue;
    }
    if (first) {
      first = false;
      if (options.add_dummy_prefix)
        out.emplace_back(std::string(space), Span{origin.start, origin.start});
    }
    if (after_space) {
      while (becomes.starts_with(' ')) becomes.remove_prefix(1);
    }
    if (becomes.empty()) continue;
    std::string written;
    for (const char c : becomes) {
      if (c == ' ') {
        written += space;
      } else {
        written += c;
      }
    }
    out.emplace_back(std::move(written), origin);
    after_space = options.remove_extra_whitespaces && becomes.ends_with(' ');
  }
  if (options.remove_extra_whitespaces) {
    while (!out.empty() && out.back().first.ends_with(space)) {
      std::string& last = out.back().first;
      last.resize(last.size() - space.size());
      if (last.empty()) out.pop_back();
    }
  }
  for (const auto& [written, origin] : out) put(written, origin);
  rewriter.finish();
}

}  // namespace regard
