// SPDX-License-Identifier: Apache-2.0
// What is shown: labelled maps at token, word or sentence level, chosen from a trace.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/trace/trace.h"

namespace regard {

enum class Level { kToken, kWord, kSentence };
Level level_named(std::string_view name);  // Error (usage) naming the three
std::string_view name_of(Level level);

// Which cells of a pair's map.
enum class Part { kAll, kWithin, kAcross };
Part part_named(std::string_view name);  // Error (usage) naming the three

// A row or column: a token, a word or a sentence. Special tokens are units of their own.
struct Unit {
  std::string text;                  // as typed; a token's piece, a special token's name
  Span span;                         // bytes of its own text
  int sequence = 0;                  // 0 first text, 1 second, -1 special
  std::vector<std::int64_t> tokens;  // indices, ascending
  bool special = false;
  bool wordlike = false;  // has a letter or digit: no punctuation, not special
};

// The units of tokens at a level, in order. Words follow UAX #29; a token that straddles two
// words belongs to the one where it starts; a token without bytes that is not special joins
// nobody and stands alone. Padding tokens (key_valid 0) are units at token level only.
std::vector<Unit> units_of(const TokenSide& side, Level level);

// The units of a map's rows and columns. Non-owning.
struct Axes {
  // Rows and columns are the same.
  Axes(const std::vector<Unit>& units) : rows(units), columns(units) {}
  Axes(const std::vector<Unit>& rows_, const std::vector<Unit>& columns_)
      : rows(rows_), columns(columns_) {}
  const std::vector<Unit>& rows;
  const std::vector<Unit>& columns;
};

// The words of one side of a trace; the labels of weights that were given are words as they stand.
std::vector<Unit> words_of(const Trace& trace, const TokenSide& side);

// A word without its case (Unicode's full case folding): equal for copies of one word.
std::string fold_case(const std::string& text);

// One head's map at a level. Clark et al. 2019: weights summed over the tokens attended TO and
// averaged over the tokens attended FROM.
struct HeadMap {
  std::optional<HeadId> id;  // none: a mean
  std::vector<HeadId> of;    // the heads of a mean
  std::string why;           // how the head came to be shown: "asked for", or the choice's reason
  std::int64_t rows = 0, columns = 0;
  std::vector<float> weights;  // [rows, columns]
  // Instead of weights, for a map too large to hold: puts rows [begin, end) into
  // out [end - begin, columns]. Valid as long as the trace.
  std::function<void(std::int64_t begin, std::int64_t end, float* out)> read{};
};
HeadMap head_map(const Trace& trace, HeadId id, const Axes& units);
HeadMap mean_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units);

// A link between two units: query attends to key.
struct Link {
  std::int64_t query = 0, key = 0;
  float weight = 0;
  HeadId head;
};

// A text and its units.
struct UnitSide {
  std::string text;
  std::optional<std::string> pair;
  std::vector<Token> tokens;
  std::vector<Unit> units;  // rows or columns of every map, at the view's level
  std::vector<Unit> words;  // at word level, for the data formats
};

// The rows' side, and the columns' where it is another.
struct View : UnitSide {
  std::string model;
  AttentionKind kind = AttentionKind::kSelf;
  Level level = Level::kWord;
  std::optional<UnitSide> keys_side;
  std::vector<HeadMap> heads;       // the chosen one first
  std::vector<Link> links;          // strongest first
  std::optional<std::int64_t> row;  // the unit in question, when there is one
  std::vector<std::string> notes;   // every choice made and every change to the raw weights

  const UnitSide& columns() const { return keys_side ? *keys_side : *this; }
  Axes axes() const { return {units, columns().units}; }
};

// Which units of the rows and of the columns to keep.
struct Kept {
  std::vector<bool> rows, columns;
};
// Leaves the other units out of maps and links. REQUIRES: maps that are held; where rows and
// columns are the same, the same of both.
void keep_units(View* view, const Kept& keep);
// In each row keeps the largest weights that together reach `mass` (0, 1] of the row's sum, zeroes
// the rest, and says so in the notes. Maps that are read row by row do it themselves.
void keep_mass(View* view, double mass);
// Takes the columns of sink tokens out and divides each row by what is left of it: special tokens
// or, where none comes first, the first unit (not a sentence). Says so in the notes; links keep
// their weights. REQUIRES: maps that are held. Throws Error (usage) when no column is left.
void without_sinks(View* view);
// Only cells within one text or across the two, said in the notes; the others become NaN. REQUIRES:
// maps that are held. Throws Error (usage) for anything but a pair.
void only_part(View* view, Part part);

}  // namespace regard
