// SPDX-License-Identifier: Apache-2.0
// Labels, names and lines that the terminal and the pictures share.
#include "regard/render/labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"

namespace regard {

std::vector<std::string> clusters(std::string_view text) {
  constexpr char32_t kJoiner = 0x200d;
  std::vector<std::string> out;
  bool joined = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const std::string_view bytes = text.substr(at, point.size);
    if (!out.empty() && (joined || display_width(bytes) == 0)) {
      out.back() += bytes;
    } else {
      out.emplace_back(bytes);
    }
    joined = point.value == kJoiner;
    at += point.size;
  }
  return out;
}

std::string cut_to(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  for (const std::string& cluster : clusters(text)) {
    if (display_width(out + cluster) + 1 > width) break;
    out += cluster;
  }
  return out + "…";
}

std::string pad_to(std::string_view text, std::size_t width, bool right_aligned) {
  const std::size_t have = display_width(text);
  const std::string blanks(have < width ? width - have : 0, ' ');
  return right_aligned ? blanks + std::string(text) : std::string(text) + blanks;
}

bool has_right_to_left(std::string_view text) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kRanges[] = {
      {0x590, 0x8ff}, {0xfb1d, 0xfdff}, {0xfe70, 0xfefc}, {0x10800, 0x10fff}, {0x1e800, 0x1efff}};
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    for (const Range range : kRanges) {
      if (point.value >= range.first && point.value <= range.last) return true;
    }
    at += point.size;
  }
  return false;
}

std::string label_of(const Unit& unit) { return printable(unit.text); }

std::string name_of(const HeadMap& map) {
  if (map.id) return to_string(*map.id);
  std::string out = "mean of ";
  for (std::size_t i = 0; i < map.of.size(); ++i) {
    if (i > 0) out += ", ";
    if (i == 6 && map.of.size() > 7) {
      return out + fmt::format("... ({} heads)", map.of.size());
    }
    out += to_string(map.of[i]);
  }
  return out;
}

float top_of(const HeadMap& map) {
  float top = 0;
  for (const float weight : map.weights) top = std::max(top, weight);
  return top;
}

std::string link_line(const View& view, const Link& link) {
  return fmt::format("{} -> {} {:.2f} {}",
                     label_of(view.units.at(static_cast<std::size_t>(link.query))),
                     label_of(view.units.at(static_cast<std::size_t>(link.key))), link.weight,
                     to_string(link.head));
}

}  // namespace regard
