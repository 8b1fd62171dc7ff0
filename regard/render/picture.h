// SPDX-License-Identifier: Apache-2.0
// Views as PNG, SVG and PDF. Text stays text in SVG and PDF: it can be searched and selected.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "regard/analysis/view.h"
#include "regard/render/colour.h"

namespace regard {

enum class PictureFormat { kPng, kSvg, kPdf };
enum class PictureKind {
  kHeatmap,   // the view's first map, words on both axes
  kRow,       // one word's attention as bars
  kAllHeads,  // a page of layers x heads
};

struct PictureStyle {
  PictureKind kind = PictureKind::kHeatmap;
  Scale scale = Scale::kLinear;
  Top top = Top::kMap;
  std::int64_t row = 0;  // for kRow: index of the unit
  bool dark = false;     // dark page; cells still get darker with weight
  // Seconds since 1970 for a PDF's metadata; nothing: 0, so that a PDF never depends on the clock.
  std::optional<std::int64_t> source_date = std::nullopt;
};

// The file's bytes. Equal input gives equal bytes. Throws Error when a side would pass 32,767
// pixels, saying what to do.
std::string draw(const View& view, PictureFormat format, const PictureStyle& style);

}  // namespace regard
