// SPDX-License-Identifier: Apache-2.0
// Cells, colour bars and captions of pictures.
#include "regard/render/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "regard/platform/error.h"
#include "regard/render/heads_page.h"
#include "regard/render/labels.h"

namespace regard {
namespace {

constexpr std::size_t kMostRectangles = 128;  // rows; more become an image
constexpr double kSmallestRectangle = 4;

void draw_number(Canvas* canvas, float weight, double x, double y, double width, double height,
                 Rgb back) {
  const TextStyle style{std::min(10.0, std::min(width, height) * 0.36), text_on(back)};
  const std::string number = short_number(weight);
  const TextSize size = canvas->measure(number, style);
  canvas->text(number, x + (width - size.width) / 2, y + (height - size.height) / 2, style);
}

std::string tick_text(double value) { return fmt::format("{:.2g}", value); }

}  // namespace

Page page_of(const PictureStyle& style) {
  if (style.dark) return {{0x16, 0x1a, 0x20}, {0xe8, 0xec, 0xf0}, {0x7a, 0x84, 0x90}};
  return {{255, 255, 255}, {0x1a, 0x1d, 0x21}, {0x8a, 0x93, 0x9c}};
}

void draw_cells(Canvas* canvas, const Cells& cells) {
  const auto rows = static_cast<std::size_t>(cells.shades->rows);
  const auto columns = static_cast<std::size_t>(cells.shades->columns);
  const double across = cells.width / static_cast<double>(columns);
  const double down = cells.height / static_cast<double>(rows);
  if (std::max(rows, columns) > kMostRectangles || std::min(across, down) < kSmallestRectangle) {
    const std::size_t most =
        static_cast<std::size_t>(std::max(1.0, 2 * std::max(cells.width, cells.height)));
    const Thumbnail small = thumbnail(*cells.shades, most);
    std::vector<Rgb> pixels;
    pixels.reserve(small.weights.size());
    const ColourTable colour(weight_colour, 0);
    for (const float shade : small.weights)
      pixels.push_back(std::isnan(shade) ? cells.paper : colour(shade));
    canvas->image(pixels, static_cast<int>(small.columns), static_cast<int>(small.rows), cells.x,
                  cells.y, cells.width, cells.height);
    return;
  }
  // Rectangles reach under the next ones: viewers would show hairlines between exact ones.
  constexpr double kOverlap = 1;
  const std::vector<float>& shades = cells.shades->weights;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const float shade = shades[row * columns + column];
      if (std::isnan(shade)) continue;
      canvas->fill(cells.x + across * static_cast<double>(column),
                   cells.y + down * static_cast<double>(row),
                   across + (column + 1 < columns ? kOverlap : 0),
                   down + (row + 1 < rows ? kOverlap : 0), weight_colour(shade));
    }
  }
  if (cells.numbers == nullptr) return;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t at = row * columns + column;
      const float weight = cells.numbers->weights[at];
      if (!(weight >= 0.005f)) continue;
      draw_number(canvas, weight, cells.x + across * static_cast<double>(column),
                  cells.y + down * static_cast<double>(row), across, down,
                  weight_colour(shades[at]));
    }
  }
}

std::vector<double> round_ticks(double top) {
  constexpr double kMost = 6;
  const double power = std::pow(10, std::floor(std::log10(top)));
  double step = power / 5;
  for (const double wider : {power / 2, power, power * 2}) {
    if (top / step >= kMost) step = wider;
  }
  std::vector<double> ticks;
  for (int i = 0; i * step <= top * (1 + 1e-9); ++i) ticks.push_back(i * step);
  return ticks;
}

void draw_colour_bar(Canvas* canvas, const Page& page, double x, double y, double height,
                     double top, const PictureStyle& look) {
  constexpr int kSteps = 128;
  constexpr double kWidth = 12;
  std::vector<Rgb> colours;
  for (int i = 0; i < kSteps; ++i) colours.push_back(weight_colour(1 - i / (kSteps - 1.0)));
  canvas->image(colours, 1, kSteps, x, y, kWidth, height);
  canvas->frame(x, y, kWidth, height, page.faint);
  const TextStyle style{kTickSize, page.ink};
  double widest = 0;
  const auto tick = [&](double share, const std::string& number) {
    const double at = y + height * (1 - share);
    const TextSize size = canvas->measure(number, style);
    canvas->line(x + kWidth, at, x + kWidth + 3, at, page.faint);
    canvas->text(number, x + kWidth + 6, at - size.height / 2, style);
    widest = std::max(widest, size.width);
  };
  std::string what = "attention weight";
  if (look.scale == Scale::kRank) {
    what = "rank in the row";
    tick(1, "highest");
    tick(0, "lowest");
  } else if (look.top == Top::kRow) {
    what = "share of the row's largest";
    tick(1, "1");
    tick(0, look.scale == Scale::kLog ? "≤ 0.001" : "0");
  } else if (top > 0 && std::isfinite(top)) {
    tick(1, tick_text(top));
    // Others that stand clear of the uppermost.
    const double clear = 1 - 1.4 * kTickSize / height;
    if (look.scale == Scale::kLog) {
      tick(0, "≤ " + tick_text(top / 1000));
      for (double power = std::pow(10, std::floor(std::log10(top))); power > top / 1000;
           power /= 10) {
        const double share = scaled(power, top, look.scale);
        if (share < clear && share > 1 - clear) tick(share, tick_text(power));
      }
    } else {
      for (const double value : round_ticks(top)) {
        if (value / top < clear) tick(value / top, tick_text(value));
      }
    }
  }
  const TextStyle name{kTickSize, page.ink};
  const TextSize size = canvas->measure(what, name);
  if (size.width <= height) {
    canvas->text(what, x + kWidth + 6 + widest + 4 + size.height, y + (height - size.width) / 2,
                 name, std::numbers::pi / 2);
  }
}

}  // namespace regard
