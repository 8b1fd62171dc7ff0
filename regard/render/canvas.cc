// SPDX-License-Identifier: Apache-2.0
// Cairo surfaces that write into a string, and Pango layouts on them.
#include "regard/render/canvas.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <map>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr const char* kFonts = "Noto Sans, DejaVu Sans, Noto Sans CJK SC, sans-serif";
constexpr double kPixelsPerPoint = 2;
constexpr double kMostPixels = 32767;

cairo_status_t append(void* closure, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

void check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) {
    throw Error(std::string("picture: ") + cairo_status_to_string(status));
  }
}

// Cairo numbers the ids of an SVG file over the whole process; here they count from 0 in the file,
// so that equal pictures are equal files.
std::string with_own_ids(const std::string& svg) {
  std::map<std::string, std::string> names;
  constexpr std::string_view kPlaces[] = {" id=\"", "\"#", "url(#"};
  std::string out;
  out.reserve(svg.size());
  for (std::size_t at = 0; at < svg.size();) {
    std::string_view place;
    for (const std::string_view candidate : kPlaces) {
      if (svg.compare(at, candidate.size(), candidate) == 0) place = candidate;
    }
    if (place.empty()) {
      out += svg[at++];
      continue;
    }
    at += place.size();
    const std::size_t end = svg.find_first_of("\")", at);
    const std::string old = svg.substr(at, end - at);
    out += place;
    out += names.emplace(old, fmt::format("r{}", names.size())).first->second;
    at = end;
  }
  return out;
}

}  // namespace

Canvas::Canvas() : surface_(cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1)) { start(); }

Canvas::Canvas(PictureFormat format, double width, double height,
               std::optional<std::int64_t> source_date)
    : format_(format) {
  width = std::ceil(width);
  height = std::ceil(height);
  const double scale = format == PictureFormat::kPng ? kPixelsPerPoint : 1;
  if (width * scale > kMostPixels || height * scale > kMostPixels) {
    throw Error(
        fmt::format("picture: {} x {} pixels, and a side has at most 32,767: choose a "
                    "coarser level, fewer words, or a tile",
                    width * scale, height * scale));
  }
  switch (format) {
    case PictureFormat::kPng:
      surface_.reset(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * scale),
                                                static_cast<int>(height * scale)));
      break;
    case PictureFormat::kSvg:
      surface_.reset(cairo_svg_surface_create_for_stream(append, bytes_.get(), width, height));
      break;
    case PictureFormat::kPdf: {
      surface_.reset(cairo_pdf_surface_create_for_stream(append, bytes_.get(), width, height));
      const std::string date = fmt::format(
          "{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(source_date.value_or(0))));
      cairo_pdf_surface_set_metadata(surface_.get(), CAIRO_PDF_METADATA_CREATE_DATE, date.c_str());
      break;
    }
  }
  check(cairo_surface_status(surface_.get()));
  start();
  cairo_scale(context_.get(), scale, scale);
}

void Canvas::start() {
  context_.reset(cairo_create(surface_.get()));
  check(cairo_status(context_.get()));
  layout_.reset(pango_cairo_create_layout(context_.get()));
  // Glyphs where the outlines say, the same at every size and in every format.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  pango_cairo_context_set_font_options(pango_layout_get_context(layout_.get()), options);
  cairo_font_options_destroy(options);
}

void Canvas::lay(std::string_view text, double size, bool bold) const {
  PangoFontDescription* font = pango_font_description_from_string(kFonts);
  pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
  if (bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(layout_.get(), font);
  pango_font_description_free(font);
  pango_layout_set_width(layout_.get(), -1);
  pango_layout_set_text(layout_.get(), text.data(), static_cast<int>(text.size()));
}

TextSize Canvas::measure(std::string_view text, double size, bool bold) const {
  lay(text, size, bold);
  int width = 0, height = 0;
  pango_layout_get_size(layout_.get(), &width, &height);
  return {static_cast<double>(width) / PANGO_SCALE, static_cast<double>(height) / PANGO_SCALE};
}

void Canvas::text(std::string_view text, double x, double y, double size, Rgb colour, bool bold,
                  double radians) {
  cairo_t* c = context_.get();
  cairo_save(c);
  cairo_set_source_rgb(c, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
  cairo_translate(c, x, y);
  cairo_rotate(c, radians);
  cairo_move_to(c, 0, 0);
  pango_cairo_update_layout(c, layout_.get());
  lay(text, size, bold);
  pango_cairo_show_layout(c, layout_.get());
  cairo_restore(c);
}

double Canvas::paragraph(std::string_view text, double x, double y, double width, double size,
                         Rgb colour, bool paint) {
  cairo_t* c = context_.get();
  lay(text, size, false);
  pango_layout_set_width(layout_.get(), static_cast<int>(width * PANGO_SCALE));
  pango_layout_set_wrap(layout_.get(), PANGO_WRAP_WORD_CHAR);
  if (paint) {
    cairo_set_source_rgb(c, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
    cairo_move_to(c, x, y);
    pango_cairo_show_layout(c, layout_.get());
  }
  int height = 0;
  pango_layout_get_size(layout_.get(), nullptr, &height);
  return static_cast<double>(height) / PANGO_SCALE;
}

void Canvas::fill(double x, double y, double width, double height, Rgb colour) {
  cairo_t* c = context_.get();
  cairo_set_source_rgb(c, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
  cairo_rectangle(c, x, y, width, height);
  cairo_fill(c);
}

void Canvas::frame(double x, double y, double width, double height, Rgb colour) {
  cairo_t* c = context_.get();
  cairo_set_source_rgb(c, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
  cairo_set_line_width(c, 0.75);
  cairo_rectangle(c, x, y, width, height);
  cairo_stroke(c);
}

void Canvas::line(double x0, double y0, double x1, double y1, Rgb colour) {
  cairo_t* c = context_.get();
  cairo_set_source_rgb(c, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
  cairo_set_line_width(c, 0.75);
  cairo_move_to(c, x0, y0);
  cairo_line_to(c, x1, y1);
  cairo_stroke(c);
}

void Canvas::image(const std::vector<Rgb>& pixels, int columns, int rows, double x, double y,
                   double width, double height) {
  const std::unique_ptr<cairo_surface_t, FreeSurface> picture(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows));
  check(cairo_surface_status(picture.get()));
  unsigned char* data = cairo_image_surface_get_data(picture.get());
  const int stride = cairo_image_surface_get_stride(picture.get());
  for (int row = 0; row < rows; ++row) {
    auto* line = reinterpret_cast<std::uint32_t*>(data + static_cast<std::size_t>(row) * stride);
    for (int column = 0; column < columns; ++column) {
      const Rgb p = pixels[static_cast<std::size_t>(row) * columns + column];
      line[column] =
          static_cast<std::uint32_t>(p.r) << 16 | static_cast<std::uint32_t>(p.g) << 8 | p.b;
    }
  }
  cairo_surface_mark_dirty(picture.get());
  cairo_t* c = context_.get();
  cairo_save(c);
  cairo_translate(c, x, y);
  cairo_scale(c, width / columns, height / rows);
  cairo_set_source_surface(c, picture.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(c), CAIRO_FILTER_NEAREST);
  cairo_rectangle(c, 0, 0, columns, rows);
  cairo_fill(c);
  cairo_restore(c);
}

std::string Canvas::finish() {
  check(cairo_status(context_.get()));
  if (format_ == PictureFormat::kPng) {
    check(cairo_surface_write_to_png_stream(surface_.get(), append, bytes_.get()));
  }
  cairo_surface_finish(surface_.get());
  check(cairo_surface_status(surface_.get()));
  return format_ == PictureFormat::kSvg ? with_own_ids(*bytes_) : std::move(*bytes_);
}

}  // namespace regard
