// SPDX-License-Identifier: Apache-2.0
// One head's map of one text as it changed: small maps side by side, on one scale of colours.
#pragma once

#include <string>
#include <vector>

#include "regard/render/picture.h"

namespace regard {

// Thread safety: a plain value.
struct StripFrame {
  std::string title, line;  // above the map: "step 500", "loss 3.21"
  View view;                // its first map is shown
};

// The file's bytes; words, level and model are the last frame's. style.kind does not apply. Throws
// Error like draw(View), and when frames are none or differ in their words.
std::string draw(const std::vector<StripFrame>& frames, PictureFormat format,
                 const PictureStyle& style);

}  // namespace regard
