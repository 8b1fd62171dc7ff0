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

// Of xterm's 256 colours nine blues and of the 16 colours five whose lightness falls: the nearest
// colours of a finer map would not fall strictly. Black reads on the first `dark` of them.
struct Ramp {
  std::array<int, 9> codes;
  std::size_t size, dark;
  std::size_t step(double t) const {
    if (std::isnan(t)) return size / 2;
    return static_cast<std::size_t>(
        std::lround(std::clamp(t, 0.0, 1.0) * static_cast<double>(size - 1)));
  }
};
constexpr Ramp k256Ramp = {{255, 189, 153, 110, 68, 26, 20, 18, 17}, 9, 5};
// Bright white, bright cyan, cyan, blue, black.
constexpr Ramp k16Ramp = {{97, 96, 36, 34, 30}, 5, 3};

// Between 0 and 1; what is no number draws nothing.
double share_of(double value) { return std::isnan(value) ? 0.0 : std::clamp(value, 0.0, 1.0); }

std::string colour_code(double t, Colours colours, bool background) {
  const Rgb colour = weight_colour(t);
  const int set = background ? 48 : 38;
  switch (colours) {
    case Colours::kTrue:
      return fmt::format("{};2;{};{};{}", set, colour.r, colour.g, colour.b);
    case Colours::k256:
      return fmt::format("{};5;{}", set, k256Ramp.codes[k256Ramp.step(t)]);
    case Colours::k16:
      return fmt::format("{}", k16Ramp.codes[k16Ramp.step(t)] + (background ? 10 : 0));
    case Colours::kNone:
      break;
  }
  return {};
}

std::string ink_code(double t, Colours colours) {
  const bool black = colours == Colours::k16    ? k16Ramp.step(t) < k16Ramp.dark
                     : colours == Colours::k256 ? k256Ramp.step(t) < k256Ramp.dark
                                                : text_on(weight_colour(t)) == Rgb{0, 0, 0};
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
  if (colours == Colours::kNone || std::isnan(t)) return std::string(text);
  return fmt::format("\x1b[{};{}m{}\x1b[0m", colour_code(t, colours, true), ink_code(t, colours),
                     text);
}

std::string two_cells(double upper, double lower, Colours colours) {
  if (colours == Colours::kNone) {
    constexpr const char* kShades[] = {" ", "░", "▒", "▓", "█"};
    const double mean = share_of((upper + lower) / 2);
    return kShades[std::lround(mean * 4)];
  }
  return fmt::format("\x1b[{};{}m▀\x1b[0m", colour_code(upper, colours, false),
                     colour_code(lower, colours, true));
}

std::string upper_cell(double upper, Colours colours) {
  if (colours == Colours::kNone) return two_cells(upper, upper, colours);
  return fmt::format("\x1b[{}m▀\x1b[0m", colour_code(upper, colours, false));
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
  share = share_of(share);
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
