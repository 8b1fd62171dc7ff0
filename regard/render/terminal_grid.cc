// SPDX-License-Identifier: Apache-2.0
// The grid: cells that paint themselves, row labels at the left, column labels above, each with
// its first letter over its column, on as many lines as keep them apart.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/render/labels.h"
#include "regard/render/lines.h"
#include "regard/render/paint.h"
#include "regard/render/shades.h"

namespace regard {
namespace {

constexpr std::size_t kLongestRowLabel = 20, kShortestRowLabel = 10, kLongestColumnLabel = 12;
constexpr std::size_t kNumberCell = 4;  // ".68" and a blank
constexpr char kAxes[] = "query (attends from) ↓   key (attended to) →";
// A grid of more words is a picture of blocks, at most so many wide: nobody reads its numbers.
constexpr std::size_t kMostLabels = 200, kShrunk = 100;

struct Layout {
  std::size_t row_label = 0;
  bool numbers = true;
  std::size_t header = 1;         // lines of column labels
  std::vector<std::size_t> cell;  // the width of each column
  // Keys that fit side by side from `begin` on, at least one.
  std::size_t end_of(std::size_t begin, std::size_t columns) const {
    std::size_t end = begin, used = row_label + 1;
    while (end < cell.size() && (columns == 0 || end == begin || used + cell[end] <= columns)) {
      used += cell[end++];
    }
    return end;
  }
};

// Numbers under whole words when they fit; else numbers under words on several lines; else, where
// there are colours, narrower cells without numbers; else blocks of keys one under another.
Layout layout_of(const std::vector<std::string>& rows, const std::vector<std::string>& labels,
                 const TerminalStyle& style) {
  const std::size_t columns = columns_of(style), n = labels.size();
  Layout layout;
  layout.row_label = std::min(widest(rows), kLongestRowLabel);
  if (columns > 0) layout.row_label = std::min(layout.row_label, columns / 3);
  std::size_t total = layout.row_label + 1;
  for (const std::string& label : labels) {
    const std::size_t width = std::min(display_width(label), kLongestRowLabel);
    layout.cell.push_back(std::max(width + 1, kNumberCell));
    total += layout.cell.back();
  }
  if (columns == 0 || total <= columns) return layout;

  // Row labels give way, to this width, before cells get narrower.
  const std::size_t least = std::min(layout.row_label, kShortestRowLabel);
  const auto fits = [&](std::size_t cell) { return least + 1 + n * cell <= columns; };
  std::size_t cell = kNumberCell;
  if (style.colours != Colours::kNone && !fits(cell)) {
    cell = fits(2) || !fits(1) ? 2 : 1;
    layout.numbers = false;
  }
  if (fits(cell)) layout.row_label = std::min(layout.row_label, columns - 1 - n * cell);
  layout.cell.assign(n, cell);
  layout.header = std::min(widest(labels), kLongestColumnLabel) / cell + 1;
  return layout;
}

std::string spaces(std::size_t count) { return std::string(count, ' '); }

// Labels of the keys [begin, end): one in `header` columns on each line, going down; below a label
// a stroke leads to its column where no other label is in the way.
void add_header(std::string* out, const std::vector<std::string>& labels, const Layout& layout,
                std::size_t begin, std::size_t end, const TerminalStyle& style) {
  const std::size_t lines = std::min(layout.header, end - begin), columns = columns_of(style);
  for (std::size_t row = 0; row < lines; ++row) {
    std::string line = spaces(layout.row_label + 1);
    std::size_t at = layout.row_label + 1;  // column of the key
    std::size_t drawn = at;                 // columns filled so far
    for (std::size_t i = begin; i < end; at += layout.cell[i++]) {
      const std::size_t place = (i - begin) % lines;
      if (place > row || drawn > at) continue;
      line += spaces(at - drawn);
      drawn = at;
      if (place < row) {
        line += emphasised("│", 2, style.colours);
        ++drawn;
        continue;
      }
      std::size_t room = 0;
      for (std::size_t j = i; j < std::min(i + lines, end); ++j) room += layout.cell[j];
      if (i + lines >= end) room = kLongestRowLabel + 1;
      if (columns > 0) room = std::min(room, columns - std::min(columns, at) + 1);
      const std::string label = cut_to(labels[i], std::max<std::size_t>(room, 2) - 1);
      line += isolated(label, style.colours);
      drawn += display_width(label);
    }
    add_line(out, line);
  }
}

std::string centred(const std::string& text, std::size_t width) {
  const std::size_t have = display_width(text);
  return pad_to(spaces(have < width ? (width - have) / 2 : 0) + text, width);
}

}  // namespace

void add_grid(std::string* out, const std::vector<std::string>& rows,
              const std::vector<std::string>& labels, const CellOf& cell_of,
              const TerminalStyle& style) {
  const std::size_t columns = columns_of(style);
  const Layout layout = layout_of(rows, labels, style);
  const bool plain = style.colours == Colours::kNone;
  add_line(out, emphasised(kAxes, 1, style.colours));
  for (std::size_t begin = 0; begin < labels.size();) {
    const std::size_t end = layout.end_of(begin, columns);
    if (begin > 0) *out += '\n';
    if (begin > 0 || end < labels.size()) {
      add_line(out, fmt::format("keys {} to {} of {}", begin, end - 1, labels.size()));
    }
    add_header(out, labels, layout, begin, end, style);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::string label = cut_to(rows[row], layout.row_label);
      std::string line = spaces(layout.row_label - display_width(label));
      line += isolated(label, style.colours) + ' ';
      for (std::size_t column = begin; column < end; ++column) {
        const GridCell cell = cell_of(row, column);
        const std::string text = layout.numbers ? cell.text : "";
        const std::size_t width = layout.cell[column];
        line += plain ? pad_to(text, width)
                      : on_weight(centred(text, width), cell.shade, style.colours);
      }
      add_line(out, line);
    }
    begin = end;
  }
}

std::string terminal_grid(const View& view, const TerminalStyle& style) {
  const HeadMap& map = first_map(view);
  const std::vector<std::string> rows = labels_of(view), labels = labels_of(view.columns());
  const bool plain = style.colours == Colours::kNone;
  const float top = top_of(map);
  const std::string scale = scale_sentence(top, style.scale, "the map", style.top);
  const HeadMap shades = shaded(map, top, style.scale, style.top);
  std::string out;
  if (std::max(rows.size(), labels.size()) > kMostLabels) {
    const std::size_t columns = columns_of(style);
    const Thumbnail shrunk = thumbnail(shades, columns == 0 ? kShrunk : std::min(columns, kShrunk));
    add_caption(&out, view,
                caption_of(view, map,
                           fmt::format("{} Each of the {} x {} cells is the largest weight of its "
                                       "block; --word shows one row, -o page.html a map to move "
                                       "about in.",
                                       scale, shrunk.rows, shrunk.columns)),
                style);
    add_line(&out, emphasised(kAxes, 1, style.colours));
    add_thumbnails(&out, {shrunk}, shrunk.rows, shrunk.columns, "", style);
  } else {
    add_caption(&out, view, caption_of(view, map, plain ? "" : scale), style);
    add_grid(
        &out, rows, labels,
        [&](std::size_t row, std::size_t column) {
          const std::size_t at = row * labels.size() + column;
          const bool none = std::isnan(shades.weights[at]);
          return GridCell{none ? "" : short_number(map.weights[at]), shades.weights[at]};
        },
        style);
  }
  add_links(&out, view, style);
  return out;
}

}  // namespace regard
