// SPDX-License-Identifier: Apache-2.0
// Which head to show when none is named, and the strongest links of all heads. The formula is in
// docs/mathematics.md, "Choosing a head"; it knows no words.
#pragma once

#include <string>
#include <vector>

#include "regard/analysis/view.h"

namespace regard {

struct HeadChoice {
  HeadId head;
  Link link;        // the link that decided; weight 0 when the text has no candidate
  std::string why;  // one sentence with the numbers
};

// REQUIRES: `among` not empty. units: word level.
HeadChoice choose_head(const Trace& trace, const std::vector<HeadId>& among,
                       const std::vector<Unit>& units);

// The strongest content links over `among`, strongest first, at most `count`; each pair of words
// once, with its best head.
std::vector<Link> strongest_links(const Trace& trace, const std::vector<HeadId>& among,
                                  const std::vector<Unit>& units, std::size_t count);

}  // namespace regard
