// SPDX-License-Identifier: Apache-2.0
// Words in two columns, a line from each query to the keys that it attends to, a colour a head
// (the view of BertViz: Vig 2019).
// Thread safety: any thread may call.
#pragma once

#include <string>

#include "regard/render/picture.h"

namespace regard {

// All maps of the view on one scale: wider and stronger coloured where the weight is larger.
// Weights below a twentieth of the scale are left out, and beyond 5,000 lines the weakest; the
// caption says so. Throws Error as draw(), and for a map too large to hold.
std::string draw_links(const View& view, PictureFormat format, const PictureStyle& style);

}  // namespace regard
