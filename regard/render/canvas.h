// SPDX-License-Identifier: Apache-2.0
// A page to draw on, written by Cairo into a string; text in every script by Pango. Lengths are
// points of the page; PNG has two pixels a point.
#pragma once

#include <cairo.h>
#include <pango/pangocairo.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/render/picture.h"

namespace regard {

struct TextSize {
  double width, height;
};

// Thread safety: one thread a canvas.
class Canvas {
 public:
  // A page of no size, for measuring text before the real one is made.
  Canvas();
  // Throws Error when a side would pass 32,767 pixels or Cairo fails.
  Canvas(PictureFormat format, double width, double height,
         std::optional<std::int64_t> source_date);

  TextSize measure(std::string_view text, double size, bool bold = false) const;
  // Upper left corner at (x, y) before turning by `radians` (clockwise) about (x, y).
  void text(std::string_view text, double x, double y, double size, Rgb colour, bool bold = false,
            double radians = 0);
  // Wraps at `width`; returns the height. `paint` false: measures only.
  double paragraph(std::string_view text, double x, double y, double width, double size, Rgb colour,
                   bool paint);
  void fill(double x, double y, double width, double height, Rgb colour);
  void frame(double x, double y, double width, double height, Rgb colour);
  void line(double x0, double y0, double x1, double y1, Rgb colour);
  // pixels: [rows, columns], shown without smoothing.
  void image(const std::vector<Rgb>& pixels, int columns, int rows, double x, double y,
             double width, double height);
  // The file's bytes. Call it once, last.
  std::string finish();

 private:
  struct FreeSurface {
    void operator()(cairo_surface_t* p) const { cairo_surface_destroy(p); }
  };
  struct FreeContext {
    void operator()(cairo_t* p) const { cairo_destroy(p); }
  };
  struct FreeObject {
    void operator()(void* p) const { g_object_unref(p); }
  };
  void start();
  void lay(std::string_view text, double size, bool bold) const;

  PictureFormat format_ = PictureFormat::kPng;
  std::unique_ptr<std::string> bytes_ = std::make_unique<std::string>();
  std::unique_ptr<cairo_surface_t, FreeSurface> surface_;
  std::unique_ptr<cairo_t, FreeContext> context_;
  std::unique_ptr<PangoLayout, FreeObject> layout_;
};

}  // namespace regard
