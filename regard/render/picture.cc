// SPDX-License-Identifier: Apache-2.0
// Pictures for papers: where the words, cells, colour bar and caption of a page stand.
#include "regard/render/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "regard/platform/error.h"
#include "regard/render/canvas.h"
#include "regard/render/labels.h"

namespace regard {
namespace {

constexpr double kMargin = 24, kGap = 8;
constexpr double kBarWidth = 12, kBarRoom = 64;  // the colour bar, and all it takes with its ticks
constexpr double kTitle = 12, kCaption = 11;
constexpr std::size_t kMostRectangles = 128;  // units; more become an image
constexpr std::size_t kLongestLabel = 28;

struct Page {
  Rgb paper, ink, faint;
};
Page page_of(const PictureStyle& style) {
  if (style.dark) return {{0x16, 0x1a, 0x20}, {0xe8, 0xec, 0xf0}, {0x7a, 0x84, 0x90}};
  return {{255, 255, 255}, {0x1a, 0x1d, 0x21}, {0x8a, 0x93, 0x9c}};
}

const HeadMap& first_map(const View& view) {
  if (view.heads.empty() || view.units.empty()) throw Error("the view has no map to draw");
  for (const HeadMap& map : view.heads) {
    const auto n = static_cast<std::int64_t>(view.units.size());
    if (map.rows != n || map.columns != n ||
        map.weights.size() != view.units.size() * view.units.size()) {
      throw Error(
          fmt::format("the view's map: expected {0} x {0}, a row and column a unit, found "
                      "{1} x {2}",
                      n, map.rows, map.columns));
    }
  }
  return view.heads.front();
}

std::vector<std::string> labels_of(const View& view) {
  std::vector<std::string> labels;
  for (const Unit& unit : view.units) labels.push_back(cut_to(label_of(unit), kLongestLabel));
  return labels;
}

double widest(const Canvas& canvas, const std::vector<std::string>& labels, double size) {
  double width = 0;
  for (const std::string& label : labels)
    width = std::max(width, canvas.measure(label, size).width);
  return width;
}

std::string caption_of(const View& view, const HeadMap& map, Scale scale) {
  std::string out = printable(view.model);
  if (map.id) {
    out += fmt::format(", layer {}, head {} ({})", map.id->layer, map.id->head, to_string(*map.id));
  } else {
    out += ", " + name_of(map);
  }
  if (!map.why.empty()) out += ": " + printable(map.why);
  if (out.back() != '.') out += '.';
  if (scale == Scale::kLog) out += " Logarithmic colours, three decades.";
  for (const std::string& note : view.notes) out += "\nNote: " + printable(note);
  return out;
}

void draw_colour_bar(Canvas* canvas, const Page& page, double x, double y, double height,
                     double top, Scale scale) {
  constexpr int kSteps = 128;
  std::vector<Rgb> colours;
  for (int i = 0; i < kSteps; ++i) colours.push_back(weight_colour(1 - i / (kSteps - 1.0)));
  canvas->image(colours, 1, kSteps, x, y, kBarWidth, height);
  canvas->frame(x, y, kBarWidth, height, page.faint);
  constexpr int kTicks = 4;
  for (int i = 0; i <= (scale == Scale::kLog ? 3 : kTicks); ++i) {
    const double t = scale == Scale::kLog ? i / 3.0 : static_cast<double>(i) / kTicks;
    const double value = scale == Scale::kLog ? top * std::pow(10, 3 * (t - 1)) : top * t;
    const double at = y + height * (1 - t);
    const std::string number =
        scale == Scale::kLog ? fmt::format("{:.2g}", value) : fmt::format("{:.2f}", value);
    canvas->line(x + kBarWidth, at, x + kBarWidth + 3, at, page.faint);
    canvas->text(number, x + kBarWidth + 6, at - canvas->measure(number, 9).height / 2, 9,
                 page.ink);
  }
}

// The cells of one map in a square, as rectangles or, when there are many, as an image.
void draw_cells(Canvas* canvas, const HeadMap& map, double top, Scale scale, double x, double y,
                double edge, bool numbers) {
  const auto n = static_cast<std::size_t>(map.rows);
  const double cell = edge / static_cast<double>(n);
  if (n > kMostRectangles || cell < 4) {
    std::vector<Rgb> pixels;
    pixels.reserve(n * n);
    for (const float weight : map.weights)
      pixels.push_back(weight_colour(scaled(weight, top, scale)));
    canvas->image(pixels, static_cast<int>(n), static_cast<int>(n), x, y, edge, edge);
    return;
  }
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column < n; ++column) {
      const float weight = map.weights[row * n + column];
      const Rgb colour = weight_colour(scaled(weight, top, scale));
      const double left = x + cell * static_cast<double>(column);
      const double upper = y + cell * static_cast<double>(row);
      canvas->fill(left, upper, cell, cell, colour);
      if (numbers && weight >= 0.005f) {
        const std::string all = fmt::format("{:.2f}", weight);
        const std::string number = all[0] == '0' ? all.substr(1) : all.substr(0, 3);
        const double size = std::min(10.0, cell * 0.36);
        const TextSize text = canvas->measure(number, size);
        canvas->text(number, left + (cell - text.width) / 2, upper + (cell - text.height) / 2, size,
                     text_on(colour));
      }
    }
  }
}

std::string heatmap(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadMap& map = first_map(view);
  const Page page = page_of(style);
  const std::vector<std::string> labels = labels_of(view);
  const auto n = static_cast<double>(labels.size());
  const double cell = labels.size() <= 24                ? 30
                      : labels.size() <= 60              ? 20
                      : labels.size() <= kMostRectangles ? 12
                                                         : std::max(1.0, std::floor(1200 / n));
  const double size = std::clamp(cell * 0.6, 8.0, 13.0);
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(size * 1.15 / cell)));
  const double edge = cell * n;

  Canvas scratch;
  const double longest = widest(scratch, labels, size);
  const double line = scratch.measure("X", size).height;
  const bool flat = longest <= cell - 4;
  const bool slanted = !flat && labels.size() <= 60;
  const double turn = flat ? 0 : slanted ? -std::numbers::pi / 4 : -std::numbers::pi / 2;
  const double header = flat ? line : longest * std::sin(-turn) + line * std::cos(turn);
  const double overhang = slanted ? std::max(0.0, longest * std::cos(turn) - kBarRoom) : 0;
  const double title = scratch.measure("X", kTitle, true).height;
  const double left = kMargin + title + kGap + longest + kGap;
  const double above = kMargin + title + kGap + header + kGap;
  const double width = std::max(left + edge + kGap * 2 + kBarRoom + overhang + kMargin, 360.0);
  const std::string caption = caption_of(view, map, style.scale);
  const double caption_height =
      scratch.paragraph(caption, 0, 0, width - 2 * kMargin, kCaption, page.ink, false);

  // Short maps still leave room for the row title.
  const TextSize rows_title = scratch.measure("query (attends from)", kTitle, true);
  const double body = std::max(edge, rows_title.width);
  Canvas canvas(format, width, above + body + 2 * kGap + caption_height + kMargin,
                style.source_date);
  canvas.fill(0, 0, std::ceil(width), std::ceil(above + body + 2 * kGap + caption_height + kMargin),
              page.paper);
  const TextSize columns_title = canvas.measure("key (attended to)", kTitle, true);
  canvas.text("key (attended to)", left + std::max(0.0, (edge - columns_title.width) / 2), kMargin,
              kTitle, page.ink, true);
  canvas.text("query (attends from)", kMargin, above + (body + rows_title.width) / 2, kTitle,
              page.ink, true, -std::numbers::pi / 2);
  for (std::size_t i = 0; i < labels.size(); i += every) {
    const double middle = (static_cast<double>(i) + 0.5) * cell;
    const TextSize text = canvas.measure(labels[i], size);
    canvas.text(labels[i], left - kGap - text.width, above + middle - text.height / 2, size,
                page.ink);
    if (flat) {
      canvas.text(labels[i], left + middle - text.width / 2, above - kGap / 2 - text.height, size,
                  page.ink);
    } else {
      // The middle of the text's left side stands over the middle of the column.
      const double half = text.height / 2;
      canvas.text(labels[i], left + middle + half * std::sin(turn),
                  above - kGap / 2 - half * std::cos(turn), size, page.ink, false, turn);
    }
  }
  const double top = top_of(map);
  draw_cells(&canvas, map, top, style.scale, left, above, edge, cell >= 20);
  canvas.frame(left, above, edge, edge, page.faint);
  draw_colour_bar(&canvas, page, left + edge + 2 * kGap, above, std::min(edge, 320.0), top,
                  style.scale);
  canvas.paragraph(caption, kMargin, above + body + 2 * kGap, width - 2 * kMargin, kCaption,
                   page.ink, true);
  return canvas.finish();
}

std::string bars(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadMap& map = first_map(view);
  if (style.row < 0 || style.row >= map.rows) {
    throw Error(fmt::format("row: expected 0 to {}, found {}", map.rows - 1, style.row),
                Error::Kind::kUsage);
  }
  const Page page = page_of(style);
  const std::vector<std::string> labels = labels_of(view);
  constexpr double kSize = 13, kStep = 22, kLength = 360, kThick = 14;
  Canvas scratch;
  const double longest = std::max(widest(scratch, labels, kSize),
                                  scratch.measure("key (attended to)", kTitle, true).width);
  const double title = scratch.measure("X", kTitle, true).height;
  const double left = kMargin + longest + kGap, above = kMargin + 2 * (title + kGap);
  const double width = left + kLength + 56 + kMargin;
  const std::string caption = caption_of(view, map, style.scale);
  const double caption_height =
      scratch.paragraph(caption, 0, 0, width - 2 * kMargin, kCaption, page.ink, false);
  const double body = kStep * static_cast<double>(labels.size());
  const double height = above + body + 2 * kGap + caption_height + kMargin;
  Canvas canvas(format, width, height, style.source_date);
  canvas.fill(0, 0, std::ceil(width), std::ceil(height), page.paper);
  const auto row = static_cast<std::size_t>(style.row);
  canvas.text("query (attends from): " + labels[row], kMargin, kMargin, kTitle, page.ink, true);
  canvas.text("key (attended to)", kMargin, kMargin + title + kGap, kTitle, page.ink, true);
  const float* weights = map.weights.data() + row * labels.size();
  const double top = *std::max_element(weights, weights + labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double y = above + kStep * static_cast<double>(i);
    const TextSize text = canvas.measure(labels[i], kSize);
    canvas.text(labels[i], left - kGap - text.width, y + (kStep - text.height) / 2, kSize,
                page.ink);
    const double t = scaled(weights[i], top, style.scale);
    const double length = std::max(1.0, kLength * t);
    canvas.fill(left, y + (kStep - kThick) / 2, length, kThick, weight_colour(t));
    canvas.frame(left, y + (kStep - kThick) / 2, length, kThick, page.faint);
    canvas.text(fmt::format("{:.3f}", weights[i]), left + length + kGap,
                y + (kStep - canvas.measure("0", 11).height) / 2, 11, page.ink);
  }
  canvas.paragraph(caption, kMargin, above + body + 2 * kGap, width - 2 * kMargin, kCaption,
                   page.ink, true);
  return canvas.finish();
}

std::string all_heads(const View& view, PictureFormat format, const PictureStyle& style) {
  first_map(view);
  const Page page = page_of(style);
  std::map<int, std::size_t> rows, columns;  // by layer and head, in their order on the page
  double top = 0;
  for (const HeadMap& map : view.heads) {
    if (!map.id) throw Error("a page of all heads has no place for a mean of heads");
    rows[map.id->layer] = 0;
    columns[map.id->head] = 0;
    top = std::max<double>(top, top_of(map));
  }
  std::size_t count = 0;
  for (auto& [layer, place] : rows) place = count++;
  count = 0;
  for (auto& [head, place] : columns) place = count++;
  constexpr double kThumb = 84, kStep = kThumb + 8, kSize = 12;
  Canvas scratch;
  const double line = scratch.measure("X", kSize, true).height;
  const double left = kMargin + scratch.measure("L00", kSize, true).width + kGap;
  const double above = kMargin + line + 4;
  const double across = kStep * static_cast<double>(columns.size()) - 8;
  const double down = kStep * static_cast<double>(rows.size()) - 8;
  const double width = std::max(left + across + 2 * kGap + kBarRoom + kMargin, 360.0);
  std::string caption = fmt::format(
      "{}: {} heads. Rows of a picture: query (attends from); columns: key (attended to). Darker "
      "is stronger, one scale for all.",
      printable(view.model), view.heads.size());
  if (style.scale == Scale::kLog) caption += " Logarithmic colours, three decades.";
  for (const std::string& note : view.notes) {
    caption += "\nNote: " + printable(note);
  }
  const double caption_height =
      scratch.paragraph(caption, 0, 0, width - 2 * kMargin, kCaption, page.ink, false);
  const double height = above + down + 2 * kGap + caption_height + kMargin;
  Canvas canvas(format, width, height, style.source_date);
  canvas.fill(0, 0, std::ceil(width), std::ceil(height), page.paper);
  for (const auto& [layer, place] : rows) {
    canvas.text(fmt::format("L{}", layer), kMargin,
                above + kStep * static_cast<double>(place) + (kThumb - line) / 2, kSize, page.ink,
                true);
  }
  for (const auto& [head, place] : columns) {
    const std::string name = fmt::format("H{}", head);
    canvas.text(name,
                left + kStep * static_cast<double>(place) +
                    (kThumb - canvas.measure(name, kSize, true).width) / 2,
                kMargin, kSize, page.ink, true);
  }
  for (const HeadMap& map : view.heads) {
    const double x = left + kStep * static_cast<double>(columns[map.id->head]);
    const double y = above + kStep * static_cast<double>(rows[map.id->layer]);
    draw_cells(&canvas, map, top, style.scale, x, y, kThumb, false);
    canvas.frame(x, y, kThumb, kThumb, page.faint);
  }
  draw_colour_bar(&canvas, page, left + across + 2 * kGap, above, std::min(down, 320.0), top,
                  style.scale);
  canvas.paragraph(caption, kMargin, above + down + 2 * kGap, width - 2 * kMargin, kCaption,
                   page.ink, true);
  return canvas.finish();
}

}  // namespace

std::string draw(const View& view, PictureFormat format, const PictureStyle& style) {
  switch (style.kind) {
    case PictureKind::kHeatmap:
      return heatmap(view, format, style);
    case PictureKind::kRow:
      return bars(view, format, style);
    case PictureKind::kAllHeads:
      return all_heads(view, format, style);
  }
  throw Error("picture: unknown kind");
}

}  // namespace regard
