// SPDX-License-Identifier: Apache-2.0
// Frames in rows from left to right, the words around each.
#include "regard/render/strip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/render/labels.h"
#include "regard/render/shades.h"
#include "regard/render/sheet.h"

namespace regard {
namespace {

constexpr double kWidest = 1800;  // points of a row of frames

}  // namespace

std::string draw(const std::vector<StripFrame>& frames, PictureFormat format,
                 const PictureStyle& style) {
  if (frames.empty()) throw Error("strip: expected frames, found none");
  const View& last = frames.back().view;
  const HeadMap& shown = first_map(last);
  const std::vector<std::string> rows = labels_of(last), columns = labels_of(last.columns());
  double top = 0;
  for (const StripFrame& frame : frames) {
    const HeadMap& map = first_map(frame.view);
    if (map.rows != shown.rows || map.columns != shown.columns)
      throw Error(fmt::format("strip: expected maps of {} x {}, found {} x {}", shown.rows,
                              shown.columns, map.rows, map.columns));
    top = std::max(top, static_cast<double>(top_of(map)));
  }

  const Page page = page_of(style);
  const TextStyle bold{kTitleSize, page.ink, true}, small{kCaptionSize, page.ink};
  Canvas scratch;
  Grid grid = grid_of(scratch, rows, columns, page);
  const double line = scratch.measure("X", small).height;
  grid.above += line;
  double wide = grid.right - kBarRoom;
  for (const StripFrame& frame : frames)
    for (const auto& [text, look] : {std::pair{&frame.title, &bold}, {&frame.line, &small}})
      wide = std::max(wide, grid.left + scratch.measure(*text, *look).width + kMargin);
  const double high = grid.above + grid.height;
  const auto across =
      std::clamp<std::size_t>(static_cast<std::size_t>(kWidest / wide), 1, frames.size());
  const std::size_t down = (frames.size() + across - 1) / across;

  const std::string what = fmt::format("{} through training", long_name_of(shown));
  const std::string caption = fmt::format(
      "{}. A row is the query (attends from), a column the key (attended to). {}",
      title_of(last, what), scale_sentence(top, style.scale, "all of these maps", style.top));
  const double width = wide * static_cast<double>(across);
  Sheet sheet(last.notes, format, style, width + kBarRoom + kMargin,
              high * static_cast<double>(down), title_of(last, what), caption);
  Canvas& canvas = sheet.canvas();
  const double left = grid.left, above = grid.above;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const double y = high * static_cast<double>(i / across);
    grid.left = left + wide * static_cast<double>(i % across);
    grid.above = above + y;
    canvas.text(frames[i].title, grid.left, kMargin + y, bold);
    canvas.text(frames[i].line, grid.left, kMargin + y + line + 2, small);
    draw_words(&canvas, grid, rows, columns);
    const HeadMap& map = first_map(frames[i].view);
    const HeadMap shades = shaded(map, top, style.scale, style.top);
    draw_cells(&canvas, {&shades, grid.cell >= 20 ? &map : nullptr, grid.left, grid.above,
                         grid.width, grid.height, page.paper});
    canvas.frame(grid.left, grid.above, grid.width, grid.height, page.faint);
  }
  draw_colour_bar(&canvas, page, width + kGap, above, std::min(grid.height, kBarHeight), top,
                  style);
  return sheet.finish();
}

}  // namespace regard
