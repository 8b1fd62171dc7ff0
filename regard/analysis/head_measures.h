// SPDX-License-Identifier: Apache-2.0
// What each head does with a text, in a few numbers, streamed from the record: docs/mathematics.md,
// "Measures of a head".
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/platform/threads.h"

namespace regard {

// Means over the rows (tokens) that see anything. Of cross-attention, whose rows and columns are
// other texts, distance, previous, next and same are NaN.
struct HeadMeasures {
  HeadId head;
  double entropy = 0;        // of a row divided by its sum, in bits
  double distance = 0;       // |key - query|, weighted, in tokens
  double previous = 0;       // weight of the token before the query; a row without one counts 0
  double next = 0;           // of the one after
  double same = 0;           // of the query itself
  double first = 0;          // of the first token
  double special = 0;        // of all special tokens
  std::optional<Link> link;  // the strongest content link between words (head_choice.h)
};

// A measure by which heads are sorted, and its name on the command line and in data.
struct MeasureName {
  std::string_view name;
  double HeadMeasures::* value;
};
inline constexpr MeasureName kMeasures[] = {
    {"entropy", &HeadMeasures::entropy},   {"distance", &HeadMeasures::distance},
    {"previous", &HeadMeasures::previous}, {"next", &HeadMeasures::next},
    {"same", &HeadMeasures::same},         {"first", &HeadMeasures::first},
    {"special", &HeadMeasures::special}};

// Of every head of `heads`, in their order. Time O(tokens^2 * dim) a head; memory linear in the
// tokens. progress: the share done. cancel: stops with Error kCancelled.
std::vector<HeadMeasures> measure_heads(const Trace& trace, const std::vector<HeadId>& heads,
                                        const Progress& progress = {},
                                        const CancelToken* cancel = nullptr);

// Sorts by a measure or by "link", the weight of the strongest link: largest first, NaN and heads
// without a link last, equal ones as they were. Throws Error (usage) naming the measures.
void sort_heads(std::string_view measure, std::vector<HeadMeasures>* heads);

}  // namespace regard
