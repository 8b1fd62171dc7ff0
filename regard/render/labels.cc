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

std::size_t widest(const std::vector<std::string>& labels) {
  std::size_t width = 1;
  for (const std::string& label : labels) width = std::max(width, display_width(label));
  return width;
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

std::string one_line(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const bool turns = (point.value >= 0x202a && point.value <= 0x202e) ||
                       (point.value >= 0x2066 && point.value <= 0x2069);
    if (point.value == '\t' || point.value == '\n' || point.value == '\r') {
      out += ' ';
    } else if (!turns) {
      out += text.substr(at, point.size);
    }
    at += point.size;
  }
  return printable(out);
}

std::string label_of(const Unit& unit) {
  std::string label = one_line(unit.text);
  return label.find_first_not_of(' ') == std::string::npos ? "␣" : label;
}

std::vector<std::string> labels_of(const UnitSide& side) {
  std::vector<std::string> labels;
  for (const Unit& unit : side.units) labels.push_back(label_of(unit));
  return labels;
}

const HeadMap& first_map(const View& view) {
  const std::size_t rows = view.units.size(), columns = view.columns().units.size();
  if (view.heads.empty() || rows == 0 || columns == 0) {
    throw Error("the view has no map to draw");
  }
  for (const HeadMap& map : view.heads) {
    if (map.rows != static_cast<std::int64_t>(rows) ||
        map.columns != static_cast<std::int64_t>(columns) || map.weights.size() != rows * columns) {
      throw Error(
          fmt::format("the view's map: expected {} x {}, a row and column a unit, found "
                      "{} x {}",
                      rows, columns, map.rows, map.columns));
    }
  }
  return view.heads.front();
}

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

std::string long_name_of(const HeadMap& map) {
  if (!map.id) return name_of(map);
  return fmt::format("layer {}, head {} ({})", map.id->layer, map.id->head, to_string(*map.id));
}

std::string short_number(float weight) {
  for (const int decimals : {2, 1, 0}) {
    std::string number = fmt::format("{:.{}f}", weight, decimals);
    const std::size_t sign = number.starts_with('-') ? 1 : 0;
    if (number.find("0.", sign) == sign) number.erase(sign, 1);
    if (number.size() <= 3) return number;
  }
  std::string power = fmt::format("{:.0e}", weight);  // 1e+03
  if (const std::size_t plus = power.find("+0"); plus != std::string::npos) power.erase(plus, 2);
  return power.size() <= 3 ? power : "###";
}

float top_of(const HeadMap& map) {
  float top = 0;
  for (const float weight : map.weights) top = std::max(top, weight);
  return top;
}

std::string scale_sentence(double top, Scale scale, std::string_view of, Top per) {
  if (scale == Scale::kRank)
    return "Shades by rank: in each row the highest weight is darkest, whatever its size.";
  if (per == Top::kRow)
    return scale == Scale::kLog
               ? "Logarithmic scale, three decades up to the largest weight of each row."
               : "Linear scale from 0 to the largest weight of each row.";
  if (scale == Scale::kLog) {
    return fmt::format("Logarithmic scale, three decades up to {:.2g}, the largest weight of {}.",
                       top, of);
  }
  return fmt::format("Linear scale from 0 to {:.2g}, the largest weight of {}.", top, of);
}

std::string title_of(const View& view, const std::string& what) {
  std::string kind;
  if (view.kind == AttentionKind::kCross) {
    kind = ", cross-attention";
  } else if (view.kind != AttentionKind::kSelf) {
    kind = fmt::format(", {}'s self-attention", name_of(view.kind));
  }
  return fmt::format("{}{}, {}, {} level", one_line(view.model), kind, what, name_of(view.level));
}

std::string caption_of(const View& view, const HeadMap& map, const std::string& scale) {
  std::string out = title_of(view, long_name_of(map)) + ".";
  if (!scale.empty()) out += " " + scale;
  if (!map.why.empty()) {
    out += " Head: " + one_line(map.why);
    if (out.back() != '.') out += '.';
  }
  return out;
}

std::string link_line(const View& view, const Link& link) {
  return fmt::format("{} -> {} {:.2f} {}",
                     label_of(view.units.at(static_cast<std::size_t>(link.query))),
                     label_of(view.columns().units.at(static_cast<std::size_t>(link.key))),
                     link.weight, to_string(link.head));
}

}  // namespace regard
