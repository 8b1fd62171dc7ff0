// SPDX-License-Identifier: Apache-2.0
// Curves over steps as an SVG file: lines of text only, so that no font library is loaded.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "regard/render/colour.h"

namespace regard {

// Thread safety: plain values.
struct Curve2d {
  std::string name;
  Rgb colour;
  std::vector<std::pair<double, double>> points;  // (step, value), steps ascending
};

// Panels one below the other, over the same steps.
struct CurvePanel {
  std::string title;
  std::vector<Curve2d> curves;
};

// A curve with more points than the picture has columns is drawn as the mean of each column, over
// a band from its least to its greatest value. What is not finite is left out, its curve broken
// there, and counted beside its name.
std::string curves_svg(const std::string& title, const std::vector<CurvePanel>& panels);

}  // namespace regard
