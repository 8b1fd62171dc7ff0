// SPDX-License-Identifier: Apache-2.0
// Rows of a head's map at the level of units, streamed from the token map (Clark et al. 2019,
// section 4.1): summed over the tokens attended to, averaged over the tokens attended from.
#pragma once

#include <cstdint>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/attention/attention_map.h"
#include "regard/platform/threads.h"

namespace regard {

// rows: indices of the units of rows, ascending. Returns [rows, column units]. At most 64 token
// rows a thread are held at a time. Throws Error when a unit names a token that the map does not
// have. room: memory to use for the result, of a map before, say.
std::vector<float> unit_rows(const AttentionMap& map, const Axes& units,
                             const std::vector<std::int64_t>& rows,
                             const CancelToken* cancel = nullptr, std::vector<float> room = {});

}  // namespace regard
