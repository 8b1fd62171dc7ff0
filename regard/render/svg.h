// SPDX-License-Identifier: Apache-2.0
// An SVG 1.1 file whose text is text: it can be searched, selected and edited, and a viewer
// without the fonts takes others of the family list.
#pragma once

#include <string>
#include <string_view>

#include "regard/render/colour.h"

namespace regard {

// Lengths are points, one user unit each. Thread safety: one thread a page.
class SvgPage {
 public:
  // fonts: family names, comma-separated, best first.
  SvgPage(double width, double height, std::string_view title, std::string_view fonts);

  // One line whose baseline starts at (x, baseline), turned by `degrees` (clockwise) about
  // (x, pivot). It is set `width` wide whatever font the viewer has.
  struct Line {
    std::string_view text;
    double x, baseline, width, size;
    Rgb colour;
    bool bold = false;
    double degrees = 0, pivot = 0;
  };
  void text(const Line& line);
  void fill(double x, double y, double width, double height, Rgb colour);
  void frame(double x, double y, double width, double height, Rgb colour, double thickness);
  void line(double x0, double y0, double x1, double y1, Rgb colour, double thickness);
  // png: a PNG file's bytes, shown without smoothing.
  void image(std::string_view png, double x, double y, double width, double height);
  // The file's bytes. Call it once, last.
  std::string finish();

 private:
  std::string out_;
};

// `text` fit for XML 1.0's character data and quoted attributes: markup escaped, characters that
// XML cannot hold (controls, U+FFFE, ill-formed bytes) replaced by U+FFFD.
std::string xml_escaped(std::string_view text);

}  // namespace regard
