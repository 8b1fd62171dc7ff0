// SPDX-License-Identifier: Apache-2.0
// Two maps and their difference side by side.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "regard/render/comparison.h"
#include "regard/render/labels.h"
#include "regard/render/sheet.h"

namespace regard {
namespace {

constexpr double kWithNumbers = 20;  // points of a cell

std::vector<std::string> cut_names(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(cut_to(one_line(name), kLongestLabel));
  return out;
}

double largest(const std::vector<float>& values) {
  double top = 0;
  for (const float value : values)
    if (!std::isnan(value)) top = std::max(top, static_cast<double>(std::abs(value)));
  return top;
}

// One of the three: cells [rows, columns] at the grid's place, moved right by `shift`.
struct Plate {
  std::string title;
  const std::vector<float>* values;
  std::vector<Rgb> colours;
  double shift;
};

void draw_plate(Sheet* sheet, const Grid& grid, const Plate& plate,
                const std::vector<std::string>& rows, const std::vector<std::string>& columns) {
  Canvas& canvas = sheet->canvas();
  Grid moved = grid;
  moved.left += plate.shift;
  canvas.text(plate.title, moved.left, kMargin, {kTitleSize, sheet->page().ink, true});
  draw_words(&canvas, moved, rows, columns);
  canvas.image(plate.colours, static_cast<int>(columns.size()), static_cast<int>(rows.size()),
               moved.left, moved.above, moved.width, moved.height);
  canvas.frame(moved.left, moved.above, moved.width, moved.height, sheet->page().faint);
  if (moved.cell < kWithNumbers) return;
  for (std::size_t k = 0; k < plate.values->size(); ++k) {
    const float value = (*plate.values)[k];
    if (!(std::abs(value) >= 0.005f)) continue;
    const TextStyle style{moved.cell * 0.33, text_on(plate.colours[k])};
    const std::string number = short_number(value);
    const TextSize size = canvas.measure(number, style);
    const auto at = [&](std::size_t i) { return (static_cast<double>(i) + 0.5) * moved.cell; };
    canvas.text(number, moved.left + at(k % columns.size()) - size.width / 2,
                moved.above + at(k / columns.size()) - size.height / 2, style);
  }
}

}  // namespace

std::string draw(const Comparison& comparison, PictureFormat format, const PictureStyle& style) {
  const std::vector<std::string> rows = cut_names(comparison.row_names);
  const std::vector<std::string> columns = cut_names(comparison.column_names);
  const Page page = page_of(style);
  Canvas scratch;
  const Grid grid = grid_of(scratch, rows, columns, page);
  const double top = std::max(largest(comparison.weights[0]), largest(comparison.weights[1]));
  const double apart = largest(comparison.difference);
  const double step = grid.right - kMargin;

  const ColourTable weight_table(weight_colour, 0), difference_table(difference_colour, -1);
  std::vector<Plate> plates;
  for (std::size_t side = 0; side < 2; ++side) {
    Plate plate{
        fmt::format("{}, {}", cut_to(one_line(comparison.model[side]), 40), comparison.head[side]),
        &comparison.weights[side],
        {},
        step * static_cast<double>(side)};
    for (const float weight : comparison.weights[side])
      plate.colours.push_back(std::isnan(weight) ? page.paper
                                                 : weight_table(scaled(weight, top, style.scale)));
    plates.push_back(std::move(plate));
  }
  plates.push_back({"second minus first", &comparison.difference, {}, 2 * step});
  for (const float value : comparison.difference)
    plates.back().colours.push_back(
        std::isnan(value) ? page.paper
                          : difference_table(apart > 0 ? static_cast<double>(value) / apart : 0));

  const std::string title = fmt::format("{} {} and {} {}", comparison.model[0], comparison.head[0],
                                        comparison.model[1], comparison.head[1]);
  const std::string caption = fmt::format(
      "{}, {} level. A row is the query (attends from), a column the key (attended to). {} Of the "
      "difference orange is less in the second, blue more, up to {:.2g}.",
      one_line(title), name_of(comparison.level), scale_sentence(top, style.scale, "both maps"),
      apart);
  Sheet sheet(comparison.notes, format, style,
              grid.left + 2 * step + grid.width + kMargin + kBarRoom, grid.above + grid.height,
              title, caption);
  for (const Plate& plate : plates) draw_plate(&sheet, grid, plate, rows, columns);
  return sheet.finish();
}

}  // namespace regard
