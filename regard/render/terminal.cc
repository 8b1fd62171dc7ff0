// SPDX-License-Identifier: Apache-2.0
// A row as bars and all heads as lines of text; the lines around every view.
#include "regard/render/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/render/heads_page.h"
#include "regard/render/labels.h"
#include "regard/render/lines.h"
#include "regard/render/paint.h"
#include "regard/render/shades.h"

namespace regard {
namespace {

constexpr std::size_t kLongestLabel = 20;
constexpr std::size_t kBarWithoutLimit = 50;

}  // namespace

void add_line(std::string* out, std::string line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  *out += line;
  *out += '\n';
}

void add_wrapped(std::string* out, const std::string& text, std::size_t columns) {
  if (columns == 0) return add_line(out, text);
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && display_width(line) + 1 + display_width(word) > columns) {
      add_line(out, line);
      line = "  ";
    } else if (at > 0) {
      line += ' ';
    }
    line += word;
    at = end + 1;
  }
  add_line(out, line);
}

void add_caption(std::string* out, const View& view, const std::string& caption,
                 const TerminalStyle& style) {
  add_wrapped(out, caption, columns_of(style));
  for (const std::string& note : view.notes) {
    add_wrapped(out, "note: " + one_line(note), columns_of(style));
  }
}

void add_thumbnails(std::string* out, const std::vector<Thumbnail>& maps, std::size_t rows,
                    std::size_t side, const std::string& label, const TerminalStyle& style) {
  for (std::size_t y = 0; y < rows; y += 2) {
    std::string line =
        y == 0 ? emphasised(label, 1, style.colours) : std::string(display_width(label), ' ');
    for (const Thumbnail& map : maps) {
      const float* cell = map.weights.data() + y * map.columns;
      for (std::size_t x = 0; x < map.columns; ++x) {
        line += y + 1 < rows ? two_cells(cell[x], cell[map.columns + x], style.colours)
                             : upper_cell(cell[x], style.colours);
      }
      line += std::string(side + 1 - map.columns, ' ');
    }
    add_line(out, line);
  }
}

void add_links(std::string* out, const View& view, const TerminalStyle& style) {
  if (view.links.empty()) return;
  add_line(out, emphasised("what stands out: query -> key, weight, head", 1, style.colours));
  for (const Link& link : view.links) add_line(out, link_line(view, link));
}

std::size_t columns_of(const TerminalStyle& style) {
  return style.columns <= 0 ? 0 : static_cast<std::size_t>(std::max(style.columns, 20));
}

std::string terminal_row(const View& view, std::int64_t row, const TerminalStyle& style) {
  const HeadMap& map = first_map(view);
  if (row < 0 || row >= map.rows) {
    throw Error(fmt::format("row: expected 0 to {}, found {}", map.rows - 1, row),
                Error::Kind::kUsage);
  }
  const std::size_t columns = columns_of(style);
  const std::vector<std::string> labels = labels_of(view.columns());
  const std::size_t limit = columns == 0 ? kLongestLabel : std::min(kLongestLabel, columns / 3);
  const std::size_t label_width = std::min(widest(labels), limit);
  const std::size_t used = label_width + 7;  // blank, "0.677", blank
  const std::size_t bar_width = columns == 0         ? kBarWithoutLimit
                                : columns > used + 4 ? columns - used
                                                     : 4;
  const HeadMap weights = row_of(map, row);
  const float top = top_of(weights);
  const HeadMap shades = shaded(weights, top, style.scale, Top::kRow);
  std::string out;
  add_caption(&out, view, caption_of(view, map, scale_sentence(top, style.scale, "the row")),
              style);
  add_line(&out, emphasised("query (attends from): ", 1, style.colours) +
                     isolated(labels_of(view)[static_cast<std::size_t>(row)], style.colours));
  add_line(&out, emphasised("key (attended to)", 1, style.colours));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string label = cut_to(labels[i], label_width);
    std::string line(label_width - display_width(label), ' ');
    line += isolated(label, style.colours);
    line += std::isnan(shades.weights[i]) ? "     – " : fmt::format(" {:.3f} ", weights.weights[i]);
    add_line(&out, line + bar(shades.weights[i], bar_width, style.colours));
  }
  add_links(&out, view, style);
  return out;
}

std::string terminal_heads(const View& view, const TerminalStyle& style) {
  const HeadsPage page = heads_page(view);
  const std::size_t columns = columns_of(style), rows = view.units.size(),
                    keys = view.columns().units.size();
  const std::size_t margin = fmt::format("L{} ", page.layers.back()).size();
  const std::size_t name = fmt::format("H{}", page.heads.back()).size();
  // As few bands of heads as leave maps of at least `kSmall` cells, then maps as wide as fit, of an
  // even number of cells: a character shows two above each other.
  constexpr std::size_t kWidest = 16, kSmall = 8;
  const std::size_t heads = page.heads.size();
  std::size_t a_line = heads;
  const auto edge_of = [&](std::size_t side_by_side) {
    if (columns == 0) return kWidest;
    const std::size_t room = (columns - std::min(margin, columns)) / side_by_side;
    return std::min(kWidest, (std::max<std::size_t>(room, 3) - 1) / 2 * 2);
  };
  for (std::size_t bands = 2; a_line > 1 && edge_of(a_line) < kSmall; ++bands) {
    a_line = (heads + bands - 1) / bands;
  }
  const std::size_t edge = edge_of(a_line);
  const std::size_t down = std::min(edge, rows), across = std::min(edge, keys);
  const std::size_t side = std::max(across, std::min(name, edge));
  std::string caption = title_of(view, fmt::format("{} heads", page.count)) +
                        ". Down: layers; across: heads. In each map a row is the query (attends "
                        "from), a column the key (attended to). " +
                        scale_sentence(page.top, style.scale, "all heads", style.top);
  if (std::max(rows, keys) > edge) {
    caption +=
        fmt::format(" Each of the {} x {} cells is the largest weight of its block.", down, across);
  }
  std::string out;
  add_caption(&out, view, caption, style);
  for (std::size_t begin = 0; begin < page.heads.size(); begin += a_line) {
    const std::size_t end = std::min(begin + a_line, page.heads.size());
    std::string names(margin, ' ');
    for (std::size_t i = begin; i < end; ++i) {
      names += pad_to(fmt::format("H{}", page.heads[i]), side + 1);
    }
    add_line(&out, emphasised(names, 1, style.colours));
    for (std::size_t layer = 0; layer < page.layers.size(); ++layer) {
      std::vector<Thumbnail> maps;
      for (std::size_t i = begin; i < end; ++i) {
        const HeadMap* map = page.table[layer][i];
        maps.push_back(map == nullptr
                           ? Thumbnail()
                           : thumbnail(shaded(*map, page.top, style.scale, style.top), edge));
      }
      add_thumbnails(&out, maps, down, side, pad_to(fmt::format("L{}", page.layers[layer]), margin),
                     style);
      // The maps of a layer stand apart from the next as they do from each other.
      if (down % 2 == 0) out += '\n';
    }
  }
  add_links(&out, view, style);
  return out;
}

}  // namespace regard
