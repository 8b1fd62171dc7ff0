// SPDX-License-Identifier: Apache-2.0
// Colours for weights: a perceptual, colour-blind-safe, single-direction map, light to dark, so
// that darker is stronger on every background.
// Thread safety: all of these are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace regard {

struct Rgb {
  std::uint8_t r, g, b;
  bool operator==(const Rgb&) const = default;
};

// t in [0, 1], clamped; NaN is grey. Lightness falls strictly with t.
Rgb weight_colour(double t);
// A difference in [-1, 1], clamped: orange below zero, blue above, near-white at zero, both sides
// equally dark at equal distance; NaN is grey.
Rgb difference_colour(double t);
// A colour map for images of many cells: at `t` the colour of the nearest of 4,096 even steps from
// `low` to 1, in each channel within one of `map`'s own. Making it costs as much as 4,097 colours.
class ColourTable {
 public:
  ColourTable(Rgb (*map)(double), double low);
  Rgb operator()(double t) const;

 private:
  double low_;
  std::vector<Rgb> colours_;
  Rgb none_;  // of NaN
};
// Black or white, whichever reads better on `background` (WCAG contrast).
Rgb text_on(Rgb background);

enum class Scale { kLinear, kLog, kRank };
Scale scale_named(std::string_view name);  // Error (usage) naming the three
// What is darkest: the largest weight of the map, or of each row its own.
enum class Top { kMap, kRow };
Top top_named(std::string_view name);  // Error (usage) naming the two
// Position of a weight on the colour map: linear: weight / top; log: three decades below top.
// REQUIRES: not kRank, for which shades.h has the rows.
double scaled(double weight, double top, Scale scale);

}  // namespace regard
