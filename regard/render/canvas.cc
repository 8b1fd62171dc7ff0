// SPDX-License-Identifier: Apache-2.0
// Cairo surfaces that write into a string, Pango layouts on them, and the SVG page beside them.
#include "regard/render/canvas.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <numbers>

#include "regard/platform/error.h"
#include "regard/render/svg.h"

namespace regard {
namespace {

constexpr const char* kFonts = "Noto Sans, DejaVu Sans, Noto Sans CJK SC, sans-serif";
constexpr double kPixelsPerPoint = 2;
constexpr double kMostPixels = 32767;
constexpr double kThin = 0.75;

cairo_status_t append(void* closure, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

void check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) {
    throw Error(std::string("picture: ") + cairo_status_to_string(status));
  }
}

double points(int pango) { return static_cast<double>(pango) / PANGO_SCALE; }

struct FreeSurface {
  void operator()(cairo_surface_t* p) const { cairo_surface_destroy(p); }
};
struct FreeContext {
  void operator()(cairo_t* p) const { cairo_destroy(p); }
};
struct FreeObject {
  void operator()(void* p) const { g_object_unref(p); }
};
using Surface = std::unique_ptr<cairo_surface_t, FreeSurface>;

Surface image_of(const std::vector<Rgb>& pixels, int columns, int rows) {
  Surface picture(cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows));
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
  return picture;
}

}  // namespace

struct Canvas::State {
  PictureFormat format = PictureFormat::kPng;
  std::string bytes;
  Surface surface;
  std::unique_ptr<cairo_t, FreeContext> context;
  std::unique_ptr<PangoLayout, FreeObject> layout;
  std::optional<SvgPage> svg;  // takes all drawing; the surface then only measures

  void start();
  void lay(std::string_view text, const TextStyle& style) const;
  void ink(Rgb colour) const {
    cairo_set_source_rgb(context.get(), colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
  }
};

void Canvas::State::start() {
  context.reset(cairo_create(surface.get()));
  check(cairo_status(context.get()));
  layout.reset(pango_cairo_create_layout(context.get()));
  // Glyphs where the outlines say, the same at every size and in every format.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  pango_cairo_context_set_font_options(pango_layout_get_context(layout.get()), options);
  cairo_font_options_destroy(options);
  pango_context_set_round_glyph_positions(pango_layout_get_context(layout.get()), FALSE);
  // Rows and columns run from left to right; a label turns only itself.
  pango_layout_set_auto_dir(layout.get(), 0);
}

void Canvas::State::lay(std::string_view text, const TextStyle& style) const {
  PangoFontDescription* font = pango_font_description_from_string(kFonts);
  pango_font_description_set_absolute_size(font, style.size * PANGO_SCALE);
  if (style.bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(layout.get(), font);
  pango_font_description_free(font);
  pango_layout_set_width(layout.get(), -1);
  pango_layout_set_text(layout.get(), text.data(), static_cast<int>(text.size()));
}

Canvas::Canvas() : state_(std::make_unique<State>()) {
  state_->surface.reset(cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1));
  state_->start();
}

Canvas::Canvas(PictureFormat format, double width, double height, const std::string& title,
               std::optional<std::int64_t> source_date)
    : state_(std::make_unique<State>()) {
  state_->format = format;
  width = std::ceil(width);
  height = std::ceil(height);
  const double most = std::max(width, height);
  const bool fine = format == PictureFormat::kPng && most * kPixelsPerPoint <= kMostPixels;
  const double scale = fine ? kPixelsPerPoint : 1;
  if (most > kMostPixels) {
    throw Error(
        fmt::format("picture: {} x {} {}, and a side has at most 32,767: choose a coarser "
                    "level, fewer words or heads, or a tile",
                    width, height, format == PictureFormat::kPng ? "pixels" : "points"));
  }
  switch (format) {
    case PictureFormat::kPng:
      state_->surface.reset(cairo_image_surface_create(
          CAIRO_FORMAT_RGB24, static_cast<int>(width * scale), static_cast<int>(height * scale)));
      break;
    case PictureFormat::kSvg:
      state_->svg.emplace(width, height, title, kFonts);
      state_->surface.reset(cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1));
      break;
    case PictureFormat::kPdf: {
      state_->surface.reset(
          cairo_pdf_surface_create_for_stream(append, &state_->bytes, width, height));
      const std::string date = fmt::format(
          "{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(source_date.value_or(0))));
      cairo_surface_t* pdf = state_->surface.get();
      cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_CREATE_DATE, date.c_str());
      cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_TITLE, title.c_str());
      cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_CREATOR, "Regard");
      break;
    }
  }
  check(cairo_surface_status(state_->surface.get()));
  state_->start();
  cairo_scale(state_->context.get(), scale, scale);
}

Canvas::~Canvas() = default;

TextSize Canvas::measure(std::string_view text, const TextStyle& style) const {
  state_->lay(text, style);
  int width = 0, height = 0;
  pango_layout_get_size(state_->layout.get(), &width, &height);
  return {points(width), points(height)};
}

void Canvas::text(std::string_view text, double x, double y, const TextStyle& style,
                  double radians) {
  state_->lay(text, style);
  PangoLayout* layout = state_->layout.get();
  if (state_->svg) {
    state_->svg->text({text, x, y + points(pango_layout_get_baseline(layout)),
                       measure(text, style).width, style.size, style.colour, style.bold,
                       radians * 180 / std::numbers::pi, y});
    return;
  }
  cairo_t* c = state_->context.get();
  cairo_save(c);
  state_->ink(style.colour);
  cairo_translate(c, x, y);
  cairo_rotate(c, radians);
  cairo_move_to(c, 0, 0);
  pango_cairo_update_layout(c, layout);
  pango_cairo_show_layout(c, layout);
  cairo_restore(c);
}

double Canvas::paragraph(std::string_view text, double x, double y, double width,
                         const TextStyle& style, bool paint) {
  state_->lay(text, style);
  PangoLayout* layout = state_->layout.get();
  pango_layout_set_width(layout, static_cast<int>(width * PANGO_SCALE));
  pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
  int height = 0;
  pango_layout_get_size(layout, nullptr, &height);
  if (paint && state_->svg) {
    PangoLayoutIter* lines = pango_layout_get_iter(layout);
    do {
      const PangoLayoutLine* line = pango_layout_iter_get_line_readonly(lines);
      PangoRectangle box;
      pango_layout_iter_get_line_extents(lines, nullptr, &box);
      std::string_view part = text.substr(static_cast<std::size_t>(line->start_index),
                                          static_cast<std::size_t>(line->length));
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      state_->svg->text({part, x + points(box.x), y + points(pango_layout_iter_get_baseline(lines)),
                         points(box.width), style.size, style.colour, style.bold});
    } while (pango_layout_iter_next_line(lines));
    pango_layout_iter_free(lines);
  } else if (paint) {
    cairo_t* c = state_->context.get();
    state_->ink(style.colour);
    cairo_move_to(c, x, y);
    pango_cairo_show_layout(c, layout);
  }
  return points(height);
}

void Canvas::fill(double x, double y, double width, double height, Rgb colour) {
  if (state_->svg) return state_->svg->fill(x, y, width, height, colour);
  cairo_t* c = state_->context.get();
  state_->ink(colour);
  cairo_rectangle(c, x, y, width, height);
  cairo_fill(c);
}

void Canvas::frame(double x, double y, double width, double height, Rgb colour) {
  if (state_->svg) return state_->svg->frame(x, y, width, height, colour, kThin);
  cairo_t* c = state_->context.get();
  state_->ink(colour);
  cairo_set_line_width(c, kThin);
  cairo_rectangle(c, x, y, width, height);
  cairo_stroke(c);
}

void Canvas::line(double x0, double y0, double x1, double y1, Rgb colour, double thickness) {
  if (state_->svg) return state_->svg->line(x0, y0, x1, y1, colour, thickness);
  cairo_t* c = state_->context.get();
  state_->ink(colour);
  cairo_set_line_width(c, thickness);
  cairo_move_to(c, x0, y0);
  cairo_line_to(c, x1, y1);
  cairo_stroke(c);
}

void Canvas::image(const std::vector<Rgb>& pixels, int columns, int rows, double x, double y,
                   double width, double height) {
  const Surface picture = image_of(pixels, columns, rows);
  if (state_->svg) {
    std::string png;
    check(cairo_surface_write_to_png_stream(picture.get(), append, &png));
    return state_->svg->image(png, x, y, width, height);
  }
  cairo_t* c = state_->context.get();
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
  if (state_->svg) return state_->svg->finish();
  check(cairo_status(state_->context.get()));
  cairo_surface_t* surface = state_->surface.get();
  if (state_->format == PictureFormat::kPng) {
    check(cairo_surface_write_to_png_stream(surface, append, &state_->bytes));
  }
  cairo_surface_finish(surface);
  check(cairo_surface_status(surface));
  return std::move(state_->bytes);
}

}  // namespace regard
