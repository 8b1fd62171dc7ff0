// SPDX-License-Identifier: Apache-2.0
// Where the cells of a map stand on the colour map.
// Thread safety: the functions may be called from any thread.
#pragma once

#include <cstdint>

#include "regard/analysis/view.h"
#include "regard/render/colour.h"

namespace regard {

// The map with shades in [0, 1] for weights; NaN stays NaN. top: the darkest weight of the map.
// Rank: of each row's n numbers above 0 the k-th smallest is k / n, counted over all its numbers,
// the left of equal ones first; what is not above 0 is 0.
HeadMap shaded(const HeadMap& map, double top, Scale scale, Top per);
// One row of a map as a map.
HeadMap row_of(const HeadMap& map, std::int64_t row);

}  // namespace regard
