// SPDX-License-Identifier: Apache-2.0
// A page to draw on, written into a string: PNG and PDF by Cairo, SVG by its own writer; text in
// every script measured and shaped by Pango. Lengths are points of the page, y downwards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/render/pango_cairo.h"
#include "regard/render/picture.h"

namespace regard {

struct TextSize {
  double width, height;
};

// How a text looks. Bold is the only second face.
struct TextStyle {
  double size;  // points
  Rgb colour;
  bool bold = false;
};

// Thread safety: one thread a canvas.
class Canvas {
 public:
  // A page of no size, for measuring text before the real one is made.
  Canvas();
  // A PNG has two pixels a point, or one when two would be too many. `title` goes into the metadata
  // of SVG and PDF. Throws Error when a side would pass 32,767 pixels or points, or Cairo fails.
  Canvas(PictureFormat format, double width, double height, const std::string& title,
         std::optional<std::int64_t> source_date);
  ~Canvas();

  TextSize measure(std::string_view text, const TextStyle& style) const;
  // Upper left corner at (x, y) before turning by `radians` (clockwise) about (x, y).
  void text(std::string_view text, double x, double y, const TextStyle& style, double radians = 0);
  // Wraps at `width`; returns the height. `paint` false: measures only.
  double paragraph(std::string_view text, double x, double y, double width, const TextStyle& style,
                   bool paint);
  void fill(double x, double y, double width, double height, Rgb colour);
  void frame(double x, double y, double width, double height, Rgb colour);
  void line(double x0, double y0, double x1, double y1, Rgb colour, double thickness = 0.75);
  // pixels: [rows, columns], shown without smoothing.
  void image(const std::vector<Rgb>& pixels, int columns, int rows, double x, double y,
             double width, double height);
  // The file's bytes. Call it once, last.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace regard
