// SPDX-License-Identifier: Apache-2.0
// The grid, a row as bars, and all heads, as lines of text.
#include "regard/render/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/render/labels.h"
#include "regard/render/paint.h"

namespace regard {
namespace {

constexpr std::size_t kLongestRowLabel = 20, kLongestColumnLabel = 14;
constexpr std::size_t kNumberCell = 4, kBareCell = 2;

void add_line(std::string* out, std::string line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  *out += line;
  *out += '\n';
}

// Cuts at blanks to at most `columns`.
void add_wrapped(std::string* out, const std::string& text, std::size_t columns) {
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

void add_caption(std::string* out, const View& view, const HeadMap& map,
                 const TerminalStyle& style) {
  const auto columns = static_cast<std::size_t>(std::max(style.columns, 20));
  const std::string why = map.why.empty() ? "" : ": " + printable(map.why);
  add_wrapped(out, printable(view.model) + "  " + name_of(map) + why, columns);
  if (style.scale == Scale::kLog) {
    add_line(out, fmt::format("scale: log, three decades below {:.2f}", top_of(map)));
  }
}

void add_notes(std::string* out, const View& view) {
  for (const std::string& note : view.notes) add_line(out, "note: " + printable(note));
}

// ".68", "1.0": three columns.
std::string short_number(float weight) {
  const std::string number = fmt::format("{:.2f}", weight);
  return number[0] == '0' ? number.substr(1) : number.substr(0, 3);
}

const HeadMap& first_map(const View& view) {
  if (view.heads.empty()) throw Error("the view has no map to draw");
  const HeadMap& map = view.heads.front();
  const auto units = static_cast<std::int64_t>(view.units.size());
  if (map.rows != units || map.columns != units ||
      map.weights.size() != static_cast<std::size_t>(units * units)) {
    throw Error(
        fmt::format("the view's map: expected {0} x {0}, a row and column a unit, found "
                    "{1} x {2}",
                    units, map.rows, map.columns));
  }
  return map;
}

std::vector<std::string> labels_of(const View& view) {
  std::vector<std::string> labels;
  for (const Unit& unit : view.units) labels.push_back(label_of(unit));
  return labels;
}

std::size_t widest(const std::vector<std::string>& labels) {
  std::size_t width = 1;
  for (const std::string& label : labels) width = std::max(width, display_width(label));
  return width;
}

// How the columns of a grid are set.
struct GridLayout {
  std::size_t row_label = 0;
  bool vertical = false;
  bool numbers = true;
  std::vector<std::size_t> cell;  // [column], the blank between cells included
};

GridLayout layout_of(const std::vector<std::string>& labels, std::size_t columns, Colours colours) {
  GridLayout layout;
  const std::size_t n = labels.size();
  layout.row_label = std::min(widest(labels), kLongestRowLabel);
  layout.row_label = std::min(layout.row_label, columns > 24 ? columns / 3 : 8);
  std::size_t total = layout.row_label + 1;
  for (const std::string& label : labels) {
    layout.cell.push_back(std::max<std::size_t>(display_width(label), kNumberCell - 1) + 1);
    total += layout.cell.back();
  }
  if (total <= columns) return layout;
  layout.vertical = true;
  const bool fits = layout.row_label + 1 + n * kNumberCell <= columns;
  layout.numbers = fits || colours == Colours::kNone;
  layout.cell.assign(n, layout.numbers ? kNumberCell : kBareCell);
  return layout;
}

// Centred, for vertical labels and numbers.
std::string centred(const std::string& text, std::size_t width) {
  const std::size_t have = display_width(text);
  const std::size_t left = have < width ? (width - have) / 2 : 0;
  return pad_to(std::string(left, ' ') + text, width);
}

void add_header(std::string* out, const std::vector<std::string>& labels, const GridLayout& layout,
                std::size_t begin, std::size_t end, Colours colours) {
  const std::string margin(layout.row_label + 1, ' ');
  if (!layout.vertical) {
    std::string line = margin;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t blanks = layout.cell[i] - display_width(labels[i]);
      line += isolated(labels[i], colours) + std::string(blanks, ' ');
    }
    add_line(out, line);
    return;
  }
  std::vector<std::vector<std::string>> letters;
  std::size_t height = 0;
  for (std::size_t i = begin; i < end; ++i) {
    std::vector<std::string> word = clusters(labels[i]);
    if (word.size() > kLongestColumnLabel) {
      word.resize(kLongestColumnLabel - 1);
      word.emplace_back("…");
    }
    height = std::max(height, word.size());
    letters.push_back(std::move(word));
  }
  for (std::size_t line_index = 0; line_index < height; ++line_index) {
    std::string line = margin;
    for (std::size_t i = 0; i < letters.size(); ++i) {
      // Words stand on the grid: the last letters are on the lowest line.
      const std::size_t above = height - letters[i].size();
      line += centred(line_index < above ? "" : letters[i][line_index - above],
                      layout.numbers ? kNumberCell - 1 : kBareCell);
      if (layout.numbers) line += ' ';
    }
    add_line(out, line);
  }
}

}  // namespace

std::string terminal_grid(const View& view, const TerminalStyle& style) {
  const HeadMap& map = first_map(view);
  const auto columns = static_cast<std::size_t>(std::max(style.columns, 20));
  const std::vector<std::string> labels = labels_of(view);
  const GridLayout layout = layout_of(labels, columns, style.colours);
  const float top = top_of(map);
  std::string out;
  add_caption(&out, view, map, style);
  add_line(&out, emphasised("query (attends from) ↓   key (attended to) →", 1, style.colours));
  for (std::size_t begin = 0; begin < labels.size();) {
    std::size_t end = begin, used = layout.row_label + 1;
    while (end < labels.size() && (end == begin || used + layout.cell[end] <= columns)) {
      used += layout.cell[end++];
    }
    if (begin > 0) {
      out += '\n';
      add_line(&out, fmt::format("keys {} to {}", begin, end - 1));
    }
    add_header(&out, labels, layout, begin, end, style.colours);
    for (std::size_t row = 0; row < labels.size(); ++row) {
      const std::string label = cut_to(labels[row], layout.row_label);
      std::string line(layout.row_label - display_width(label), ' ');
      line += isolated(label, style.colours) + ' ';
      for (std::size_t column = begin; column < end; ++column) {
        const float weight = map.weights[row * labels.size() + column];
        const std::string text = layout.numbers ? short_number(weight) : "";
        const std::size_t width = layout.cell[column];
        line +=
            style.colours == Colours::kNone
                ? pad_to(text, width)
                : on_weight(centred(text, width), scaled(weight, top, style.scale), style.colours);
      }
      add_line(&out, line);
    }
    begin = end;
  }
  for (const Link& link : view.links) add_line(&out, link_line(view, link));
  add_notes(&out, view);
  return out;
}

std::string terminal_row(const View& view, std::int64_t row, const TerminalStyle& style) {
  const HeadMap& map = first_map(view);
  if (row < 0 || row >= map.rows) {
    throw Error(fmt::format("row: expected 0 to {}, found {}", map.rows - 1, row),
                Error::Kind::kUsage);
  }
  const auto columns = static_cast<std::size_t>(std::max(style.columns, 20));
  const std::vector<std::string> labels = labels_of(view);
  const std::size_t label_width = std::min(widest(labels), kLongestRowLabel);
  const std::size_t used = label_width + 6;  // blank, "0.68", blank
  const std::size_t bar_width = columns > used + 4 ? columns - used : 4;
  const float* weights = map.weights.data() + row * map.columns;
  const float top = *std::max_element(weights, weights + map.columns);
  std::string out;
  add_caption(&out, view, map, style);
  add_line(&out, fmt::format("query (attends from): {}",
                             isolated(labels[static_cast<std::size_t>(row)], style.colours)));
  add_line(&out, emphasised("key (attended to)", 1, style.colours));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string label = cut_to(labels[i], label_width);
    std::string line(label_width - display_width(label), ' ');
    line += isolated(label, style.colours);
    line += fmt::format(" {:.2f} ", weights[i]);
    add_line(&out, line + bar(scaled(weights[i], top, style.scale), bar_width, style.colours));
  }
  for (const Link& link : view.links) {
    if (link.query == row) add_line(&out, link_line(view, link));
  }
  add_notes(&out, view);
  return out;
}

std::string terminal_heads(const View& view, const TerminalStyle& style) {
  first_map(view);
  const auto columns = static_cast<std::size_t>(std::max(style.columns, 20));
  float top = 0;
  std::size_t in_layer = 0;  // most heads in one layer
  std::vector<std::vector<const HeadMap*>> layers;
  for (const HeadMap& map : view.heads) {
    if (!map.id) continue;
    top = std::max(top, top_of(map));
  }
  std::vector<const HeadMap*> sorted;
  for (const HeadMap& map : view.heads) {
    if (map.id) sorted.push_back(&map);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const HeadMap* a, const HeadMap* b) { return *a->id < *b->id; });
  for (const HeadMap* map : sorted) {
    if (layers.empty() || layers.back().front()->id->layer != map->id->layer) layers.push_back({});
    layers.back().push_back(map);
    in_layer = std::max(in_layer, layers.back().size());
  }
  // The widest pictures (an even number of cells) that leave a layer on one line, else the least.
  const std::size_t units = std::max<std::size_t>(view.units.size(), 1);
  std::size_t edge = 6;
  for (const std::size_t candidate : {16, 14, 12, 10, 8}) {
    if (in_layer * (candidate + 1) <= columns) {
      edge = candidate;
      break;
    }
  }
  const std::size_t a_line = std::max<std::size_t>(1, columns / (edge + 1));
  std::string out;
  add_line(&out, printable(view.model) + fmt::format("  {} heads", sorted.size()));
  add_line(
      &out,
      fmt::format("rows: query (attends from), columns: key (attended to), darkest {:.2f}", top));
  for (const std::vector<const HeadMap*>& layer : layers) {
    for (std::size_t begin = 0; begin < layer.size(); begin += a_line) {
      const std::size_t end = std::min(begin + a_line, layer.size());
      std::string names;
      for (std::size_t i = begin; i < end; ++i) {
        names += pad_to(cut_to(to_string(*layer[i]->id), edge), edge + 1);
      }
      add_line(&out, names);
      for (std::size_t y = 0; y < edge; y += 2) {
        std::string line;
        for (std::size_t i = begin; i < end; ++i) {
          const HeadMap& map = *layer[i];
          // The largest weight of the block of words that a cell stands for.
          const auto cell = [&](std::size_t cell_y, std::size_t cell_x) {
            float most = 0;
            const std::size_t y0 = cell_y * units / edge, x0 = cell_x * units / edge;
            const std::size_t y1 = std::max(y0 + 1, (cell_y + 1) * units / edge);
            const std::size_t x1 = std::max(x0 + 1, (cell_x + 1) * units / edge);
            for (std::size_t r = y0; r < y1; ++r) {
              for (std::size_t c = x0; c < x1; ++c) {
                most = std::max(most, map.weights.at(r * units + c));
              }
            }
            return scaled(most, top, style.scale);
          };
          for (std::size_t x = 0; x < edge; ++x)
            line += two_cells(cell(y, x), cell(y + 1, x), style.colours);
          line += ' ';
        }
        add_line(&out, line);
      }
    }
  }
  add_notes(&out, view);
  return out;
}

}  // namespace regard
