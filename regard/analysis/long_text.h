// SPDX-License-Identifier: Apache-2.0
// Maps of texts too long for units x units to be held: pooled, a few rows, or row after row. All
// memory is linear in the length of the text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/platform/threads.h"

namespace regard {

// Whether `heads` maps of so many units are too large to hold: more than 2^24 cells in one (4,096
// units of one text) or 2^28 in all.
bool too_large_to_hold(std::size_t rows, std::size_t columns, std::size_t heads);

// Runs of tokens as units, as many as a tile of `size` has rows; "1024-2047 street": the first and
// last token and the text of the first.
std::vector<Unit> runs_of_tokens(const TokenSide& side, std::int64_t size);
// The head's map at token level, pooled to the runs of tokens: the largest weight of each cell. The
// mean of heads: the mean weight of each cell.
HeadMap pooled_map(const Trace& trace, HeadId id, std::int64_t size);
HeadMap pooled_mean(const Trace& trace, const std::vector<HeadId>& ids, std::int64_t size);

// The rows and columns that are kept of a head's map or of a mean's.
HeadMap partial_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units,
                    const Kept& keep);
// The `count` units that unit `row` attends to most in a head or mean, ascending; and the share of
// the row's weight that they hold.
std::vector<std::int64_t> most_attended(const Trace& trace, const std::vector<HeadId>& ids,
                                        const Axes& units, std::int64_t row, std::size_t count,
                                        double* held);

// A map whose rows are computed when they are read, of the units that are kept; in each row only
// the largest weights that hold `mass`, when given. trace must outlive it.
HeadMap streamed_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units,
                     const Kept& keep, std::optional<double> mass);

}  // namespace regard
