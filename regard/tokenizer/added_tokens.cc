// SPDX-License-Identifier: Apache-2.0
// Matching by the rules of the tokenizers library (tokenizers/src/tokenizer/added_vocabulary.rs).
#include "regard/tokenizer/added_tokens.h"

#include <algorithm>

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

// Not before `bound`.
std::size_t skip_space_left(std::string_view text, std::size_t at, std::size_t bound) {
  while (at > bound) {
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

AddedTokenMatcher::AddedTokenMatcher(const std::vector<std::string>& patterns,
                                     const std::vector<int>& numbers, const std::string& file)
    : patterns_(file, "added_tokens") {
  for (std::size_t i = 0; i < patterns.size(); ++i) patterns_.insert(patterns[i], numbers[i]);
  patterns_.build();
}

std::vector<AddedMatch> AddedTokenMatcher::split(std::string_view text,
                                                 const std::vector<AddedToken>& tokens) const {
  std::vector<AddedMatch> out;
  std::size_t done = 0, at = 0;
  std::size_t space_end = 0;  // of the white space that was looked at last
  const std::vector<PrefixSet::Match> matches = patterns_.find(text);
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    if (match->start < at) continue;
    std::size_t start = match->start;
    std::size_t stop = at = match->start + match->length;
    const AddedToken& token = tokens[static_cast<std::size_t>(match->value)];
    if (token.single_word && (word_before(text, start) || word_after(text, stop))) continue;
    if (token.lstrip) start = std::max(skip_space_left(text, start, done), done);
    if (token.rstrip) {
      if (stop > space_end) space_end = skip_space_right(text, stop);
      stop = space_end;
    }
    if (start >= stop) continue;  // white space that the match before has taken
    if (done < start) out.push_back({-1, {done, start}});
    out.push_back({static_cast<int>(match->value), {start, stop}});
    done = stop;
  }
  if (done < text.size()) out.push_back({-1, {done, text.size()}});
  return out;
}

}  // namespace regard
