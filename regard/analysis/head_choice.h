// SPDX-License-Identifier: Apache-2.0
// Which head to show when none is named, and the strongest links of all heads. The formula is in
// docs/mathematics.md, "Choosing a head"; it knows no words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/platform/threads.h"

namespace regard {

struct HeadChoice {
  HeadId head;
  Link link;        // the link that decided; weight 0 when the text has no candidate
  std::string why;  // one sentence with the numbers
};

// REQUIRES: `among` not empty. units: word level; of a trace with a keys_side two texts'. Of a map
// with more than 2^22 cells every n-th row is looked at, n the smallest number that keeps to 2^22;
// memory is linear in the units.
HeadChoice choose_head(const Trace& trace, const std::vector<HeadId>& among, const Axes& units,
                       const CancelToken* cancel = nullptr);

// The strongest content links over `among`, strongest first, at most `count`; each pair of words
// once, with its best head. row: only links from this unit, which is then one of the rows that are
// looked at. choice, when given: the head of the strongest, as choose_head() says it.
std::vector<Link> strongest_links(const Trace& trace, const std::vector<HeadId>& among,
                                  const Axes& units, std::size_t count,
                                  std::optional<std::int64_t> row = std::nullopt,
                                  const CancelToken* cancel = nullptr,
                                  HeadChoice* choice = nullptr);

// The strongest content link of each head by itself, in the order of `heads`; nothing where no
// link scores above 0.
std::vector<std::optional<Link>> strongest_link_of_each(const Trace& trace,
                                                        const std::vector<HeadId>& heads,
                                                        const Axes& units,
                                                        const CancelToken* cancel = nullptr);

}  // namespace regard
