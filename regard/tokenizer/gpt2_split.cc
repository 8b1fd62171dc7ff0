// SPDX-License-Identifier: Apache-2.0
// The alternatives of the pattern in their order; what each may begin with decides most of it.
#include "regard/tokenizer/gpt2_split.h"

#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

enum class Kind { kLetter, kNumber, kSpace, kOther };

struct Reader {
  std::string_view text;
  std::size_t end;

  Kind kind(std::size_t at, std::size_t& size) const {
    const CodePoint point = decode_utf8(text, at);
    size = point.size;
    const std::uint16_t flags = unicode_flags(point.value);
    if (flags & kLetter) return Kind::kLetter;
    if (flags & kNumber) return Kind::kNumber;
    return flags & kRegexSpace ? Kind::kSpace : Kind::kOther;
  }

  // The end of the characters of this kind that begin at `at`.
  std::size_t run(std::size_t at, Kind wanted) const {
    std::size_t size = 0;
    while (at < end && kind(at, size) == wanted) at += size;
    return at;
  }

  // Bytes of 's, 't, 're, 've, 'm, 'll or 'd at `at`; 0 when there is none.
  std::size_t contraction(std::size_t at) const {
    const std::string_view rest = text.substr(at + 1, end - at - 1);
    for (const std::string_view ending : {"s", "t", "re", "ve", "m", "ll", "d"}) {
      if (rest.starts_with(ending)) return 1 + ending.size();
    }
    return 0;
  }

  // White space from `at` on that is matched in one piece: a run leaves its last character to the
  // word behind it.
  std::size_t space(std::size_t at) const {
    std::size_t size = 0, last = at, stop = at;
    while (stop < end && kind(stop, size) == Kind::kSpace) {
      last = stop;
      stop += size;
    }
    return stop == end || last == at ? stop : last;
  }
};

}  // namespace

void split_gpt2(std::string_view text, Span stretch, std::vector<Span>& out) {
  const Reader reader{text, stretch.end};
  for (std::size_t at = stretch.start; at < stretch.end;) {
    const std::size_t start = at;
    std::size_t size = 0;
    if (text[at] == '\'') {
      if (const std::size_t bytes = reader.contraction(at)) {
        at += bytes;
        out.push_back({start, at});
        continue;
      }
    }
    std::size_t word = at;
    if (text[at] == ' ' && at + 1 < stretch.end) word = at + 1;
    const Kind kind = reader.kind(word, size);
    at = kind == Kind::kSpace ? reader.space(start) : reader.run(word + size, kind);
    out.push_back({start, at});
  }
}

}  // namespace regard
