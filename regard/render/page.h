// SPDX-License-Identifier: Apache-2.0
// What the pictures share: the page's colours, cells, colour bar and caption.
#pragma once

#include <string>
#include <vector>

#include "regard/render/canvas.h"

namespace regard {

inline constexpr double kMargin = 24, kGap = 8;
inline constexpr double kTitleSize = 12, kCaptionSize = 11, kTickSize = 9;
inline constexpr double kBarRoom = 72;  // the width of a colour bar with its ticks and title
inline constexpr double kBarHeight = 320;
inline constexpr const char* kQueryTitle = "query (attends from)";
inline constexpr const char* kKeyTitle = "key (attended to)";

struct Page {
  Rgb paper, ink, faint;
};
Page page_of(const PictureStyle& style);

// A map's cells in the rectangle at (x, y). As rectangles or, when they are many or tiny, as one
// image of at most two pixels a point, each the darkest shade under it. A cell that is no number
// is not drawn.
struct Cells {
  const HeadMap* shades = nullptr;   // shades.h
  const HeadMap* numbers = nullptr;  // weights to write into the cells; null: none
  double x = 0, y = 0, width = 0, height = 0;
  Rgb paper = {255, 255, 255};  // under what is not drawn
};
void draw_cells(Canvas* canvas, const Cells& cells);

// Upper left corner at (x, y).
void draw_colour_bar(Canvas* canvas, const Page& page, double x, double y, double height,
                     double top, const PictureStyle& style);

// Ticks of a linear scale from 0: multiples of 1, 2 or 5 times a power of ten up to `top`, at most
// seven. REQUIRES: top > 0, finite.
std::vector<double> round_ticks(double top);

}  // namespace regard
