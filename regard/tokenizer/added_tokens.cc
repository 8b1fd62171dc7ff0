// SPDX-License-Identifier: Apache-2.0
// Matching by the rules of the tokenizers library (tokenizers/src/tokenizer/added_vocabulary.rs).
#include "regard/tokenizer/added_tokens.h"

#include <algorithm>
#include <functional>

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

AddedTokenMatcher::AddedTokenMatcher(const std::vector<std::string>& patterns,
                                     const std::vector<int>& numbers) {
  if (patterns.empty()) return;
  lengths_.resize(256);
  begins_.resize(256 * 256, false);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const std::string& pattern = patterns[i];
    if (patterns_.id(pattern)) continue;
    patterns_.insert(pattern, numbers[i]);
    const std::size_t first = static_cast<unsigned char>(pattern[0]);
    std::vector<std::size_t>& lengths = lengths_[first];
    const auto place =
        std::lower_bound(lengths.begin(), lengths.end(), pattern.size(), std::greater<>());
    if (place == lengths.end() || *place != pattern.size()) lengths.insert(place, pattern.size());
    if (pattern.size() > 1) {
      begins_[first << 8 | static_cast<unsigned char>(pattern[1])] = true;
    } else {
      const auto from = begins_.begin() + static_cast<std::ptrdiff_t>(first << 8);
      std::fill(from, from + 256, true);
    }
  }
}

std::pair<int, std::size_t> AddedTokenMatcher::find(std::string_view text, std::size_t at) const {
  const std::size_t first = static_cast<unsigned char>(text[at]);
  if (lengths_[first].empty()) return {-1, 0};
  const std::size_t second = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0;
  if (!begins_[first << 8 | second]) return {-1, 0};
  for (const std::size_t length : lengths_[first]) {
    if (length > text.size() - at) continue;
    if (const auto number = patterns_.id(text.substr(at, length))) {
      return {static_cast<int>(*number), length};
    }
  }
  return {-1, 0};
}

std::vector<AddedMatch> AddedTokenMatcher::split(std::string_view text,
                                                 const std::vector<AddedToken>& tokens) const {
  std::vector<AddedMatch> out;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !lengths_.empty();) {
    const auto [number, length] = find(text, at);
    if (number < 0) {
      ++at;
      continue;
    }
    std::size_t start = at;
    std::size_t stop = at + length;
    at = stop;
    const AddedToken& token = tokens[static_cast<std::size_t>(number)];
    if (token.single_word && (word_before(text, start) || word_after(text, stop))) continue;
    if (token.lstrip) start = std::max(skip_space_left(text, start), done);
    if (token.rstrip) stop = skip_space_right(text, stop);
    if (start >= stop) continue;  // white space that the match before has taken
    if (done < start) out.push_back({-1, {done, start}});
    out.push_back({number, {start, stop}});
    done = stop;
  }
  if (done < text.size()) out.push_back({-1, {done, text.size()}});
  return out;
}

}  // namespace regard
