// SPDX-License-Identifier: Apache-2.0
// Where the words and lines of links stand.
#include "regard/render/links_picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/render/labels.h"
#include "regard/render/shades.h"
#include "regard/render/sheet.h"

namespace regard {
namespace {

constexpr double kStep = 20, kBetween = 320, kSwatch = 12;
constexpr double kFaintest = 0.05;  // of the scale
constexpr std::size_t kMostLines = 5000;

// The page's colours of heads (web/src/lib/colour.ts, headColour): hues by the golden angle,
// lighter ones on a dark page.
constexpr Rgb kColours[2][16] = {{{0x00, 0x7a, 0xcf},
                                  {0xc2, 0x3a, 0x41},
                                  {0x00, 0x83, 0x4f},
                                  {0x7d, 0x5a, 0xc6},
                                  {0x8d, 0x65, 0x00},
                                  {0x00, 0x82, 0xab},
                                  {0xc2, 0x2f, 0x79},
                                  {0x24, 0x7e, 0x0f},
                                  {0x1a, 0x8a, 0xf3},
                                  {0xd2, 0x65, 0x38},
                                  {0x00, 0xa0, 0x8e},
                                  {0xbf, 0x62, 0xc9},
                                  {0x89, 0x8b, 0x00},
                                  {0x00, 0x99, 0xe1},
                                  {0xe4, 0x50, 0x6e},
                                  {0x00, 0x9d, 0x50}},
                                 {{0x02, 0xbd, 0xff},
                                  {0xff, 0x89, 0x85},
                                  {0x05, 0xc9, 0x94},
                                  {0xc4, 0x9f, 0xff},
                                  {0xd5, 0xa9, 0x49},
                                  {0x00, 0xc7, 0xec},
                                  {0xff, 0x84, 0xbc},
                                  {0x79, 0xc2, 0x62},
                                  {0x4b, 0x94, 0xf2},
                                  {0xd7, 0x74, 0x4b},
                                  {0x00, 0xa9, 0x97},
                                  {0xc5, 0x72, 0xcd},
                                  {0x95, 0x94, 0x26},
                                  {0x00, 0xa1, 0xe2},
                                  {0xe7, 0x64, 0x7b},
                                  {0x18, 0xa6, 0x61}}};
Rgb head_colour(std::size_t i, bool dark) { return kColours[dark ? 1 : 0][i % 16]; }

struct Line {
  std::size_t head;
  std::int64_t query, key;
  double share;  // of the scale
};

// Strongest last, so that they lie on top.
std::vector<Line> lines_of(const View& view, double top, const PictureStyle& style) {
  std::vector<Line> lines;
  for (std::size_t head = 0; head < view.heads.size(); ++head) {
    const HeadMap map = shaded(view.heads[head], top, style.scale, style.top);
    for (std::size_t at = 0; at < map.weights.size(); ++at) {
      const double share = map.weights[at];
      const auto cell = static_cast<std::int64_t>(at);
      if (share >= kFaintest)
        lines.push_back({head, cell / map.columns, cell % map.columns, share});
    }
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.share < b.share; });
  return lines;
}

Rgb mixed(Rgb paper, Rgb colour, double share) {
  const auto mix = [&](std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(a + share * (static_cast<double>(b) - a) + 0.5);
  };
  return {mix(paper.r, colour.r), mix(paper.g, colour.g), mix(paper.b, colour.b)};
}

std::vector<std::string> cut_labels(const UnitSide& side) {
  std::vector<std::string> labels = labels_of(side);
  for (std::string& label : labels) label = cut_to(label, kLongestLabel);
  return labels;
}

}  // namespace

std::string draw_links(const View& view, PictureFormat format, const PictureStyle& style) {
  const HeadMap& first = first_map(view);
  double top = 0;
  for (const HeadMap& map : view.heads) {
    if (map.read) throw Error("links: expected maps that can be held, found a longer text");
    top = std::max(top, static_cast<double>(top_of(map)));
  }
  std::vector<Line> lines = lines_of(view, top, style);
  const std::size_t found = lines.size();
  if (found > kMostLines)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMostLines));

  const std::vector<std::string> rows = cut_labels(view), columns = cut_labels(view.columns());
  const Page page = page_of(style);
  const TextStyle title{kTitleSize, page.ink, true}, label{13, page.ink};
  Canvas scratch;
  const TextSize query = scratch.measure(kQueryTitle, title),
                 key = scratch.measure(kKeyTitle, title);
  const double left = kMargin + std::max(widest(scratch, rows, label), query.width) + kGap;
  const double right = left + kBetween;
  const double width =
      right + kGap + std::max(widest(scratch, columns, label), key.width) + kMargin;
  const double above = kMargin + query.height + kGap;
  const double words = kStep * static_cast<double>(std::max(rows.size(), columns.size()));
  const double legend = view.heads.size() > 1 ? kStep * static_cast<double>(view.heads.size()) : 0;

  const std::string what =
      view.heads.size() > 1 ? fmt::format("{} heads", view.heads.size()) : long_name_of(first);
  std::string scale =
      scale_sentence(top, style.scale, view.heads.size() > 1 ? "all heads" : "the map", style.top);
  scale += fmt::format(" Lines below {:.0f} % of it are left out.", 100 * kFaintest);
  if (found > lines.size())
    scale += fmt::format(" The {} strongest of {} lines are drawn.", lines.size(), found);
  Sheet sheet(
      view.notes, format, style, width, above + words + legend, title_of(view, what),
      view.heads.size() > 1 ? title_of(view, what) + ". " + scale : caption_of(view, first, scale));
  Canvas& canvas = sheet.canvas();
  canvas.text(kQueryTitle, left - kGap - query.width, kMargin, title);
  canvas.text(kKeyTitle, right + kGap, kMargin, title);

  const auto middle = [&](std::int64_t i) {
    return above + kStep * (static_cast<double>(i) + 0.5);
  };
  const auto heads = static_cast<double>(view.heads.size());
  for (const Line& line : lines) {
    // Lines of several heads lie side by side.
    const double aside =
        (static_cast<double>(line.head) - (heads - 1) / 2) * std::min(2.5, kStep / 2 / heads);
    canvas.line(left, middle(line.query) + aside, right, middle(line.key) + aside,
                mixed(page.paper, head_colour(line.head, style.dark), line.share),
                0.5 + 2 * line.share);
  }
  for (const bool is_row : {true, false}) {
    const std::vector<std::string>& labels = is_row ? rows : columns;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const TextSize size = canvas.measure(labels[i], label);
      canvas.text(labels[i], is_row ? left - kGap - size.width : right + kGap,
                  middle(static_cast<std::int64_t>(i)) - size.height / 2, label);
    }
  }
  for (std::size_t head = 0; head < view.heads.size() && legend > 0; ++head) {
    const double y = above + words + kStep * (static_cast<double>(head) + 0.5);
    canvas.fill(left, y - kSwatch / 2, kSwatch, kSwatch, head_colour(head, style.dark));
    const std::string name = name_of(view.heads[head]);
    canvas.text(name, left + kSwatch + kGap, y - canvas.measure(name, label).height / 2, label);
  }
  return sheet.finish();
}

}  // namespace regard
