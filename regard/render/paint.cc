// SPDX-License-Identifier: Apache-2.0
// Cells, bars and half blocks in 24-bit, 256 and 16 colours (ECMA-48, section 8.3.117; xterm's
// 38;5 and 38;2).
#include "regard/render/paint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "regard/render/labels.h"

namespace regard {
namespace {

// The nearest of xterm's colour cube (16 to 231) and grey ramp (232 to 255).
int nearest_of_256(Rgb colour) {
  constexpr int kLevels[] = {0, 95, 135, 175, 215, 255};
  int best = 16, best_distance = 1 << 30;
  const auto offer = [&](int index, int r, int g, int b) {
    const int dr = r - colour.r, dg = g - colour.g, db = b - colour.b;
    const int distance = 2 * dr * dr + 4 * dg * dg + 3 * db * db;
    if (distance < best_distance) {
      best_distance = distance;
      best = index;
    }
  };
  for (int i = 0; i < 216; ++i) {
    offer(16 + i, kLevels[i / 36], kLevels[i / 6 % 6], kLevels[i % 6]);
  }
  for (int i = 0; i < 24; ++i) offer(232 + i, 8 + 10 * i, 8 + 10 * i, 8 + 10 * i);
  return best;
}

// Of the 16 colours five whose lightness falls: bright white, bright cyan, cyan, blue, black.
constexpr std::array<int, 5> kSixteen = {97, 96, 36, 34, 30};

std::size_t step_of_sixteen(double t) {
  return static_cast<std::size_t>(std::lround(std::clamp(t, 0.0, 1.0) * (kSixteen.size() - 1)));
}

std::string colour_code(double t, Colours colours, bool background) {
  const Rgb colour = weight_colour(t);
  const int set = background ? 48 : 38;
  switch (colours) {
    case Colours::kTrue:
      return fmt::format("{};2;{};{};{}", set, colour.r, colour.g, colour.b);
    case Colours::k256:
      return fmt::format("{};5;{}", set, nearest_of_256(colour));
    case Colours::k16:
      return fmt::format("{}", kSixteen[step_of_sixteen(t)] + (background ? 10 : 0));
    case Colours::kNone:
      break;
  }
  return {};
}

std::string ink_code(double t, Colours colours) {
  const bool black =
      colours == Colours::k16 ? step_of_sixteen(t) < 3 : text_on(weight_colour(t)) == Rgb{0, 0, 0};
  switch (colours) {
    case Colours::kTrue:
      return black ? "38;2;0;0;0" : "38;2;255;255;255";
    case Colours::k256:
      return black ? "38;5;16" : "38;5;231";
    default:
      return black ? "30" : "97";
  }
}

}  // namespace

std::string on_weight(std::string_view text, double t, Colours colours) {
  if (colours == Colours::kNone) return std::string(text);
  return fmt::format("\x1b[{};{}m{}\x1b[0m", colour_code(t, colours, true), ink_code(t, colours),
                     text);
}

std::string two_cells(double upper, double lower, Colours colours) {
  if (colours == Colours::kNone) {
    constexpr const char* kShades[] = {" ", "░", "▒", "▓", "█"};
    const double mean = std::clamp((upper + lower) / 2, 0.0, 1.0);
    return kShades[std::lround(mean * 4)];
  }
  return fmt::format("\x1b[{};{}m▀\x1b[0m", colour_code(upper, colours, false),
                     colour_code(lower, colours, true));
}

std::string emphasised(std::string_view text, int sgr, Colours colours) {
  if (colours == Colours::kNone) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", sgr, text);
}

std::string isolated(const std::string& label, Colours colours) {
  if (colours == Colours::kNone || !has_right_to_left(label)) return label;
  return "\u2068" + label + "\u2069";
}

std::string bar(double share, std::size_t width, Colours colours) {
  share = std::clamp(share, 0.0, 1.0);
  if (colours == Colours::kNone) {
    return std::string(static_cast<std::size_t>(std::lround(share * static_cast<double>(width))),
                       '#');
  }
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths =
      static_cast<std::size_t>(std::lround(share * static_cast<double>(width) * 8));
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  // Mid-blue reads on light and dark terminals alike.
  return out.empty() ? out
                     : fmt::format("\x1b[{}m{}\x1b[0m", colour_code(0.5, colours, false), out);
}

}  // namespace regard
