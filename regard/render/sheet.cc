// SPDX-License-Identifier: Apache-2.0
// Sheets with captions, and the words around a heatmap.
#include "regard/render/sheet.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "regard/render/labels.h"

namespace regard {
namespace {

constexpr std::size_t kSlantedWords = 60, kSmallWords = 128;

std::string with_notes(std::string caption, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) caption += "\nNote: " + one_line(note);
  return caption;
}

}  // namespace

double widest(const Canvas& canvas, const std::vector<std::string>& labels,
              const TextStyle& style) {
  double width = 0;
  for (const std::string& label : labels) {
    width = std::max(width, canvas.measure(label, style).width);
  }
  return width;
}

Sheet::Sheet(const std::vector<std::string>& notes, PictureFormat format, const PictureStyle& style,
             double width, double body, const std::string& title, const std::string& caption)
    : page_(page_of(style)),
      caption_style_{kCaptionSize, page_.ink},
      width_(std::max(width, 400.0)),
      body_(body),
      caption_(with_notes(caption, notes)),
      canvas_(format, width_, height(), title, style.source_date) {
  canvas_.fill(0, 0, std::ceil(width_), std::ceil(height()), page_.paper);
}

std::string Sheet::finish() {
  canvas_.paragraph(caption_, kMargin, body_ + 2 * kGap, width_ - 2 * kMargin, caption_style_,
                    true);
  return canvas_.finish();
}

double Sheet::height() const {
  Canvas scratch;
  return body_ + 2 * kGap + kMargin +
         scratch.paragraph(caption_, 0, 0, width_ - 2 * kMargin, caption_style_, false);
}

Grid grid_of(const Canvas& scratch, const std::vector<std::string>& rows,
             const std::vector<std::string>& columns, const Page& page) {
  Grid grid;
  const std::size_t n = std::max(rows.size(), columns.size());
  grid.cell = n <= 24              ? 30
              : n <= kSlantedWords ? 20
              : n <= kSmallWords   ? 12
                                   : std::max(1.0, std::floor(1200.0 / static_cast<double>(n)));
  grid.width = grid.cell * static_cast<double>(columns.size());
  grid.height = grid.cell * static_cast<double>(rows.size());
  grid.label = {std::clamp(grid.cell * 0.6, 8.0, 13.0), page.ink};
  grid.every =
      static_cast<std::size_t>(std::max(1.0, std::ceil(grid.label.size * 1.25 / grid.cell)));
  const double longest = widest(scratch, columns, grid.label);
  const double line = scratch.measure("X", grid.label).height;
  const double title = scratch.measure("X", {kTitleSize, page.ink, true}).height;
  const bool flat = longest <= grid.cell - 4;
  const bool slanted = !flat && n <= kSlantedWords;
  grid.turn = flat ? 0 : slanted ? -std::numbers::pi / 4 : -std::numbers::pi / 2;
  const double header = flat ? line : longest * std::sin(-grid.turn) + line * std::cos(grid.turn);
  grid.left = kMargin + title + kGap + widest(scratch, rows, grid.label) + kGap;
  grid.above = kMargin + title + kGap + header + kGap;
  // Slanted words reach beyond the last column.
  double reach = 0;
  for (std::size_t i = 0; slanted && i < columns.size(); ++i) {
    reach =
        std::max(reach, (static_cast<double>(i) + 0.5) * grid.cell +
                            scratch.measure(columns[i], grid.label).width * std::cos(grid.turn) +
                            line - grid.width);
  }
  grid.right = grid.left + grid.width + std::max(2 * kGap + kBarRoom, reach) + kMargin;
  return grid;
}

void draw_words(Canvas* canvas, const Grid& grid, const std::vector<std::string>& rows,
                const std::vector<std::string>& columns) {
  const auto middle = [&](std::size_t i) { return (static_cast<double>(i) + 0.5) * grid.cell; };
  for (std::size_t i = 0; i < rows.size(); i += grid.every) {
    const TextSize text = canvas->measure(rows[i], grid.label);
    canvas->text(rows[i], grid.left - kGap - text.width, grid.above + middle(i) - text.height / 2,
                 grid.label);
  }
  for (std::size_t i = 0; i < columns.size(); i += grid.every) {
    const TextSize text = canvas->measure(columns[i], grid.label);
    if (grid.turn == 0) {
      canvas->text(columns[i], grid.left + middle(i) - text.width / 2,
                   grid.above - kGap / 2 - text.height, grid.label);
      continue;
    }
    // The middle of the text's left side stands over the middle of the column.
    const double half = text.height / 2;
    canvas->text(columns[i], grid.left + middle(i) + half * std::sin(grid.turn),
                 grid.above - kGap * 0.75 - half * std::cos(grid.turn), grid.label, grid.turn);
  }
}

}  // namespace regard
