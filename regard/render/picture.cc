// SPDX-License-Identifier: Apache-2.0
// Pictures for papers: where the words, cells, colour bar and caption of a page stand.
#include "regard/render/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "regard/platform/error.h"
#include "regard/render/canvas.h"
#include "regard/render/heads_page.h"
#include "regard/render/labels.h"
#include "regard/render/page.h"
#include "regard/render/shades.h"
#include "regard/render/sheet.h"

namespace regard {
namespace {

std::vector<std::string> cut_labels(const UnitSide& side) {
  std::vector<std::string> labels = labels_of(side);
  for (std::string& label : labels) label = cut_to(label, kLongestLabel);
  return labels;
}

std::string heatmap(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadMap& map = first_map(view);
  const std::vector<std::string> rows = cut_labels(view), columns = cut_labels(view.columns());
  const Page page = page_of(style);
  const TextStyle title{kTitleSize, page.ink, true};
  Canvas scratch;
  const Grid grid = grid_of(scratch, rows, columns, page);
  // Short maps still leave room for the title of the rows.
  const TextSize query = scratch.measure(kQueryTitle, title);
  const TextSize key = scratch.measure(kKeyTitle, title);
  const double body = std::max(grid.height, query.width);
  const double top = top_of(map);
  std::string scale = scale_sentence(top, style.scale, "the map", style.top);
  if (grid.every > 1) scale += fmt::format(" One word in {} is written.", grid.every);

  Sheet sheet(view.notes, format, style, grid.right, grid.above + body,
              title_of(view, long_name_of(map)), caption_of(view, map, scale));
  Canvas& canvas = sheet.canvas();
  canvas.text(kKeyTitle, grid.left + std::max(0.0, (grid.width - key.width) / 2), kMargin, title);
  canvas.text(kQueryTitle, kMargin,
              grid.above + std::max(query.width, (grid.height + query.width) / 2), title,
              -std::numbers::pi / 2);
  draw_words(&canvas, grid, rows, columns);
  const HeadMap shades = shaded(map, top, style.scale, style.top);
  draw_cells(&canvas, {&shades, grid.cell >= 20 ? &map : nullptr, grid.left, grid.above, grid.width,
                       grid.height, page.paper});
  canvas.frame(grid.left, grid.above, grid.width, grid.height, page.faint);
  draw_colour_bar(&canvas, page, grid.left + grid.width + 2 * kGap, grid.above,
                  std::min(body, kBarHeight), top, style);
  return sheet.finish();
}

std::string bars(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadMap& map = first_map(view);
  if (style.row < 0 || style.row >= map.rows) {
    throw Error(fmt::format("row: expected 0 to {}, found {}", map.rows - 1, style.row),
                Error::Kind::kUsage);
  }
  const std::vector<std::string> labels = cut_labels(view.columns());
  const HeadMap row = row_of(map, style.row);
  const double top = top_of(row);
  const HeadMap shades = shaded(row, top, style.scale, Top::kRow);
  const Page page = page_of(style);
  const double step = labels.size() <= 120 ? 22 : labels.size() <= 400 ? 15 : 10;
  const double thick = std::floor(step * 0.65);
  const TextStyle title{kTitleSize, page.ink, true};
  const TextStyle label{std::min(13.0, step * 0.72), page.ink};
  const TextStyle number{std::min(11.0, step * 0.66), page.ink};
  constexpr double kLength = 360;

  Canvas scratch;
  const TextSize key = scratch.measure(kKeyTitle, title);
  const double longest = std::max(widest(scratch, labels, label), key.width);
  const double left = kMargin + longest + kGap;
  const double above = kMargin + 2 * (key.height + kGap);
  const double after = kGap + scratch.measure("0.000", number).width;
  const double body = step * static_cast<double>(labels.size());
  const std::string asked =
      std::string(kQueryTitle) + ": " + cut_labels(view)[static_cast<std::size_t>(style.row)];
  const double width =
      std::max(left + kLength + after, kMargin + scratch.measure(asked, title).width) + kMargin;
  Sheet sheet(view.notes, format, style, width, above + body,
              title_of(view, long_name_of(map)) + ", " + asked,
              caption_of(view, map, scale_sentence(top, style.scale, "the row")));
  Canvas& canvas = sheet.canvas();
  canvas.text(asked, kMargin, kMargin, title);
  canvas.text(kKeyTitle, left - kGap - key.width, kMargin + key.height + kGap, title);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double y = above + step * static_cast<double>(i);
    const TextSize text = canvas.measure(labels[i], label);
    canvas.text(labels[i], left - kGap - text.width, y + (step - text.height) / 2, label);
    const double t = shades.weights[i];
    const double length = std::max(1.0, std::isfinite(t) ? kLength * t : 0.0);
    canvas.fill(left, y + (step - thick) / 2, length, thick, weight_colour(t));
    canvas.frame(left, y + (step - thick) / 2, length, thick, page.faint);
    const std::string value = std::isnan(t) ? "–" : fmt::format("{:.3f}", row.weights[i]);
    canvas.text(value, left + length + kGap, y + (step - canvas.measure(value, number).height) / 2,
                number);
  }
  return sheet.finish();
}

std::string all_heads(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadsPage heads = heads_page(view);
  const Page page = page_of(style);
  constexpr double kThumb = 84, kStep = kThumb + 8;
  const TextStyle name{12, page.ink, true};
  Canvas scratch;
  const double line = scratch.measure("X", name).height;
  const double left =
      kMargin + scratch.measure(fmt::format("L{}", heads.layers.back()), name).width + kGap;
  const double above = kMargin + line + 4;
  const double across = kStep * static_cast<double>(heads.heads.size()) - 8;
  const double down = kStep * static_cast<double>(heads.layers.size()) - 8;
  const std::string what = fmt::format("{} heads", heads.count);
  std::string caption = fmt::format(
      "{}. Down: layers; across: heads. In each map a row is the query (attends from), a column "
      "the key (attended to). {}",
      title_of(view, what), scale_sentence(heads.top, style.scale, "all heads", style.top));
  if (std::max(view.units.size(), view.columns().units.size()) >
      static_cast<std::size_t>(2 * kThumb)) {
    caption += " A point of a map is the largest weight under it.";
  }

  Sheet sheet(view.notes, format, style, left + across + 2 * kGap + kBarRoom + kMargin,
              above + down, title_of(view, what), caption);
  Canvas& canvas = sheet.canvas();
  for (std::size_t row = 0; row < heads.layers.size(); ++row) {
    const double y = above + kStep * static_cast<double>(row);
    canvas.text(fmt::format("L{}", heads.layers[row]), kMargin, y + (kThumb - line) / 2, name);
    for (std::size_t column = 0; column < heads.heads.size(); ++column) {
      const double x = left + kStep * static_cast<double>(column);
      if (row == 0) {
        const std::string text = fmt::format("H{}", heads.heads[column]);
        canvas.text(text, x + (kThumb - canvas.measure(text, name).width) / 2, kMargin, name);
      }
      const HeadMap* map = heads.table[row][column];
      if (map == nullptr) continue;
      const HeadMap shades = shaded(*map, heads.top, style.scale, style.top);
      draw_cells(&canvas, {&shades, nullptr, x, y, kThumb, kThumb, page.paper});
      canvas.frame(x, y, kThumb, kThumb, page.faint);
    }
  }
  draw_colour_bar(&canvas, page, left + across + 2 * kGap, above, std::min(down, kBarHeight),
                  heads.top, style);
  return sheet.finish();
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
