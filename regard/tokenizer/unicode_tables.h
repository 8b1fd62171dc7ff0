// SPDX-License-Identifier: Apache-2.0
// Code point properties as the tokenizers library sees them. The tables in unicode_tables.cc are
// generated from that library's own answers, so ids do not depend on the machine's Unicode version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace regard {

// What a code point is to the normaliser and to the pre-tokeniser; any of them may be joined.
enum UnicodeFlag : std::uint16_t {
  kRemoved = 1,        // clean_text drops it
  kSpace = 2,          // clean_text makes it a space
  kPunctuation = 4,    // BertPreTokenizer sets it apart
  kChinese = 8,        // handle_chinese_chars puts spaces around it
  kNonspacing = 16,    // strip_accents drops it
  kWord = 32,          // \w for an added token's single_word
  kSplitSpace = 64,    // BertPreTokenizer splits there and drops it; \s for lstrip and rstrip
  kNumeric = 128,      // Digits sets it apart
  kMark = 256,         // StripAccents drops it
  kLetter = 512,       // \p{L} of the library's regular expressions
  kNumber = 1024,      // \p{N}
  kRegexSpace = 2048,  // \s
};

// The flags of a code point, joined.
std::uint16_t unicode_flags(char32_t c);

// Lower case by a one-to-one mapping; U+0130 (to U+0069 U+0307) is the caller's.
char32_t simple_lower(char32_t c);

// Order of the combining classes for canonical reordering: 0 for starters, else a larger number
// for a larger class.
std::uint8_t combining_rank(char32_t c);

// The full canonical decomposition, empty when c is its own. Hangul syllables are written to
// `hangul`, which must outlive the result.
std::span<const char32_t> decomposition(char32_t c, char32_t (&hangul)[3]);
// The same for compatibility decompositions, which the canonical ones are part of.
std::span<const char32_t> compatible_decomposition(char32_t c, char32_t (&hangul)[3]);

// What the two compose to canonically; 0 when they do not.
char32_t composition(char32_t first, char32_t second);

// The class of scripts that UnicodeScripts keeps together; 0 goes with any.
std::uint8_t script_class(char32_t c);

namespace unicode_tables {

struct FlagRange {
  char32_t first, last;
  std::uint16_t flags;
};
// Every stride-th code point from first to last, moved by delta.
struct LowerRange {
  char32_t first, last;
  std::uint8_t stride;
  std::int32_t delta;
};
struct RankRange {
  char32_t first, last;
  std::uint8_t rank;
};
// kDecomposed[offset, offset + length).
struct Decomposition {
  char32_t from;
  std::uint16_t offset;
  std::uint8_t length;
};

struct Composition {
  char32_t first, second, composed;
};
struct ScriptRange {
  char32_t first, last;
  std::uint8_t script;
};

// Characters that came after Unicode 14.
struct NewerRange {
  char32_t first, last;
  char category[3];
  std::uint8_t also;        // 1 Alphabetic, 2 Lowercase, 4 Uppercase
  const char* script_name;  // of kScriptNames; empty for a script that is newer itself
};

extern const FlagRange kFlags[];
extern const std::size_t kFlagCount;
extern const LowerRange kLower[];
extern const std::size_t kLowerCount;
extern const RankRange kRanks[];
extern const std::size_t kRankCount;
extern const Decomposition kDecompositions[];
extern const std::size_t kDecompositionCount;
extern const Decomposition kCompatible[];
extern const std::size_t kCompatibleCount;
extern const Composition kCompositions[];
extern const std::size_t kCompositionCount;
extern const ScriptRange kScripts[];
extern const std::size_t kScriptCount;
extern const NewerRange kNewer[];
extern const std::size_t kNewerCount;
extern const char* const kCategories[28];    // general categories, two letters each
extern const char* const kScriptNames[161];  // as Unicode writes them
extern const char32_t kDecomposed[];

}  // namespace unicode_tables
}  // namespace regard
