// SPDX-License-Identifier: Apache-2.0
// By the rules of the tokenizers library (tokenizers/src/pre_tokenizers, and split() of
// tokenizers/src/tokenizer/normalizer.rs for what happens to delimiters).
#include "regard/tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/gpt2_split.h"
#include "regard/tokenizer/normalizer.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

struct Stretch {
  Span at;
  bool delimiter;
};

// A text on its way: stretches of it, and room for the next cut.
struct Cutting {
  NormalText& text;
  TextBudget& budget;
  std::vector<Span> stretches = {};
  std::vector<Span> next = {};
  std::vector<Stretch> parts = {};
  std::vector<Span> found = {};

  void keep(Span at) {
    if (at.start < at.end) next.push_back(at);
  }
};

// Whole and in order: the delimiters that were found in the stretch, and what lies between.
void cover(const std::vector<Span>& found, Span stretch, bool invert, std::vector<Stretch>& out) {
  out.clear();
  std::size_t done = stretch.start;
  for (const Span& match : found) {
    const Span at{stretch.start + match.start, stretch.start + match.end};
    if (done != at.start) out.push_back({{done, at.start}, invert});
    out.push_back({at, !invert});
    done = at.end;
  }
  if (done != stretch.end) out.push_back({{done, stretch.end}, invert});
}

void split_parts(Cutting& cutting, SplitBehavior behavior) {
  std::vector<Stretch>& parts = cutting.parts;
  const auto merge_forward = [&](auto joins) {
    std::size_t count = 0;
    bool previous = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Stretch part = parts[i];
      if (count > 0 && joins(part.delimiter, previous)) {
        parts[count - 1].at.end = part.at.end;
      } else {
        parts[count++] = part;
      }
      previous = part.delimiter;
    }
    parts.resize(count);
  };
  switch (behavior) {
    case SplitBehavior::kIsolated:
      break;
    case SplitBehavior::kRemoved:
      std::erase_if(parts, [](const Stretch& part) { return part.delimiter; });
      break;
    case SplitBehavior::kContiguous:
      merge_forward([](bool delimiter, bool previous) { return delimiter == previous; });
      break;
    case SplitBehavior::kMergedWithPrevious:
      merge_forward([](bool delimiter, bool previous) { return delimiter && !previous; });
      break;
    case SplitBehavior::kMergedWithNext: {
      std::reverse(parts.begin(), parts.end());
      std::size_t count = 0;
      bool previous = false;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const Stretch part = parts[i];
        if (count > 0 && part.delimiter && !previous) {
          parts[count - 1].at.start = part.at.start;
        } else {
          parts[count++] = part;
        }
        previous = part.delimiter;
      }
      parts.resize(count);
      std::reverse(parts.begin(), parts.end());
      break;
    }
  }
  for (const Stretch& part : parts) cutting.keep(part.at);
}

// Each character for which is_delimiter(character) holds is one delimiter.
template <typename IsDelimiter>
void split_characters(Cutting& cutting, SplitBehavior behavior, const IsDelimiter& is_delimiter) {
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) {
    std::vector<Stretch>& parts = cutting.parts;
    parts.clear();
    std::size_t done = stretch.start;
    for (std::size_t at = stretch.start; at < stretch.end;) {
      const CodePoint point = decode_utf8(text, at);
      const std::size_t next = at + point.size;
      if (is_delimiter(point.value)) {
        if (done < at) parts.push_back({{done, at}, false});
        parts.push_back({{at, next}, true});
        done = next;
      }
      at = next;
    }
    if (done < stretch.end) parts.push_back({{done, stretch.end}, false});
    split_parts(cutting, behavior);
  }
}

// Words and punctuation marks in one pass.
void apply(Cutting& cutting, const BertPreTokenizer&) {
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) {
    std::size_t begin = stretch.start;
    for (std::size_t at = begin; at < stretch.end;) {
      const CodePoint point = decode_utf8(text, at);
      const std::uint16_t flags = unicode_flags(point.value);
      const std::size_t next = at + point.size;
      if (flags & (kSplitSpace | kPunctuation)) {
        cutting.keep({begin, at});
        if (!(flags & kSplitSpace)) cutting.keep({at, next});
        begin = next;
      }
      at = next;
    }
    cutting.keep({begin, stretch.end});
  }
}

// The library's \w+|[^\w\s]+
void apply(Cutting& cutting, const WhitespacePreTokenizer&) {
  const std::string_view text = cutting.text.view();
  const auto kind_of = [](char32_t c) {
    const std::uint16_t flags = unicode_flags(c);
    return flags & kWord ? 1 : flags & kSplitSpace ? 0 : 2;
  };
  for (const Span stretch : cutting.stretches) {
    int kind = 0;
    std::size_t begin = stretch.start;
    for (std::size_t at = begin; at < stretch.end;) {
      const CodePoint point = decode_utf8(text, at);
      const int here = kind_of(point.value);
      if (here != kind) {
        if (kind != 0) cutting.keep({begin, at});
        begin = at;
        kind = here;
      }
      at += point.size;
    }
    if (kind != 0) cutting.keep({begin, stretch.end});
  }
}

void apply(Cutting& cutting, const WhitespaceSplitPreTokenizer&) {
  split_characters(cutting, SplitBehavior::kRemoved,
                   [](char32_t c) { return (unicode_flags(c) & kSplitSpace) != 0; });
}

void apply(Cutting& cutting, const UnicodeScriptsPreTokenizer&) {
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) {
    // Characters that go with any script and come first belong to no stretch, as in the library.
    int script = 0;
    std::size_t begin = stretch.end;
    for (std::size_t at = stretch.start; at < stretch.end;) {
      const CodePoint point = decode_utf8(text, at);
      const int here = script_class(point.value);
      if (here != 0 && here != script) {
        if (script != 0) cutting.keep({begin, at});
        begin = at;
      }
      if (here != 0) script = here;
      at += point.size;
    }
    cutting.keep({begin, stretch.end});
  }
}

void apply(Cutting& cutting, const DigitsPreTokenizer& options) {
  split_characters(cutting,
                   options.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous,
                   [](char32_t c) { return (unicode_flags(c) & kNumeric) != 0; });
}

void apply(Cutting& cutting, const PunctuationPreTokenizer& options) {
  split_characters(cutting, options.behavior,
                   [](char32_t c) { return (unicode_flags(c) & kPunctuation) != 0; });
}

void apply(Cutting& cutting, const DelimiterPreTokenizer& options) {
  split_characters(cutting, SplitBehavior::kRemoved,
                   [&](char32_t c) { return c == options.delimiter; });
}

void apply(Cutting& cutting, const FixedLengthPreTokenizer& options) {
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) {
    std::size_t begin = stretch.start, count = 0;
    for (std::size_t at = begin; at < stretch.end;) {
      at += decode_utf8(text, at).size;
      if (++count == options.length) {
        cutting.keep({begin, at});
        begin = at;
        count = 0;
      }
    }
    cutting.keep({begin, stretch.end});
  }
}

void apply(Cutting& cutting, const SplitPreTokenizer& options) {
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) {
    cutting.found.clear();
    options.pattern.find(text.substr(stretch.start, stretch.end - stretch.start), cutting.found,
                         cutting.budget);
    cover(cutting.found, stretch, options.invert, cutting.parts);
    split_parts(cutting, options.behavior);
  }
}

// Rewrites the text stretch by stretch: change(rewriter, stretch) must pass the stretch.
template <typename Change>
void rewrite_stretches(Cutting& cutting, const Change& change) {
  Rewriter rewriter(cutting.text);
  for (Span& stretch : cutting.stretches) {
    rewriter.skip(stretch.start - rewriter.at());
    const std::size_t start = rewriter.size();
    change(rewriter, stretch);
    stretch = {start, rewriter.size()};
  }
  rewriter.finish();
}

void apply(Cutting& cutting, const MetaspacePreTokenizer& options) {
  using Prepend = MetaspacePreTokenizer::Prepend;
  const std::string_view text = cutting.text.view();
  const std::string& mark = options.replacement;
  rewrite_stretches(cutting, [&](Rewriter& rewriter, Span stretch) {
    const std::string_view view = text.substr(stretch.start, stretch.end - stretch.start);
    const bool marked = view.starts_with(' ') || view.starts_with(mark);
    const bool wanted =
        options.prepend == Prepend::kAlways ||
        (options.prepend == Prepend::kFirst && cutting.text.origin(stretch.start).start == 0);
    if (!marked && wanted) rewriter.prepend(mark);
    while (rewriter.at() < stretch.end) {
      const std::size_t space = std::min(text.find(' ', rewriter.at()), stretch.end);
      rewriter.keep(space - rewriter.at());
      if (space == stretch.end) break;
      rewriter.prepend(mark);  // with the origin of the space
      rewriter.skip(1);
    }
  });
  if (!options.split) {
    cutting.next = cutting.stretches;
    return;
  }
  const char32_t c = decode_utf8(mark, 0).value;
  split_characters(cutting, SplitBehavior::kMergedWithNext, [&](char32_t at) { return at == c; });
}

void apply(Cutting& cutting, const ByteLevelPreTokenizer& options) {
  const auto starts_bare = [&](const Span& stretch) {
    return cutting.text.view()[stretch.start] != ' ';
  };
  if (options.add_prefix_space &&
      std::any_of(cutting.stretches.begin(), cutting.stretches.end(), starts_bare)) {
    rewrite_stretches(cutting, [&](Rewriter& rewriter, Span stretch) {
      if (starts_bare(stretch)) rewriter.prepend(" ");
      rewriter.keep(stretch.end - stretch.start);
    });
  }
  if (!options.use_regex) {
    cutting.next = cutting.stretches;
    return;
  }
  const std::string_view text = cutting.text.view();
  for (const Span stretch : cutting.stretches) split_gpt2(text, stretch, cutting.next);
}

void to_stand_ins(Cutting& cutting) {
  const std::string_view old = cutting.text.view();
  // Where each stretch lies once every byte of two stand-in bytes is written as such.
  std::vector<Span> moved;
  moved.reserve(cutting.stretches.size());
  std::size_t done = 0, size = 0;
  const auto advance = [&](std::size_t to) {
    for (; done < to; ++done) {
      size += byte_character(static_cast<unsigned char>(old[done])) < 0x80 ? 1 : 2;
    }
    return size;
  };
  for (const Span stretch : cutting.stretches) {
    const std::size_t start = advance(stretch.start);
    moved.push_back({start, advance(stretch.end)});
  }
  to_byte_characters(cutting.text);
  cutting.stretches = std::move(moved);
}

}  // namespace

std::vector<Span> pre_tokenize(NormalText& text, const std::vector<PreTokenizer>& pre_tokenizers,
                               bool keep_bytes, TextBudget& budget) {
  Cutting cutting{text, budget};
  if (!text.empty()) cutting.stretches.push_back({0, text.size()});
  for (std::size_t i = 0; i < pre_tokenizers.size(); ++i) {
    cutting.next.clear();
    std::visit([&](const auto& options) { apply(cutting, options); }, pre_tokenizers[i]);
    std::swap(cutting.stretches, cutting.next);
    const bool last = i + 1 == pre_tokenizers.size();
    if (std::holds_alternative<ByteLevelPreTokenizer>(pre_tokenizers[i]) && !(last && keep_bytes)) {
      to_stand_ins(cutting);
    }
  }
  return std::move(cutting.stretches);
}

}  // namespace regard
