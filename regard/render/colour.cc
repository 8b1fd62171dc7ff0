// SPDX-License-Identifier: Apache-2.0
// A sequential map of one hue, near-white through blue to near-black navy, interpolated in OKLab
// (Ottosson 2020) between control points whose CIELAB lightness falls by even steps of about 12.
// Only lightness carries the weight, so every kind of colour vision reads it.
#include "regard/render/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "regard/platform/error.h"

namespace regard {
namespace {

struct Oklab {
  double lightness, a, b;
};

constexpr std::array<Rgb, 9> kControl = {{{0xf7, 0xfa, 0xfd},
                                          {0xdc, 0xe9, 0xf5},
                                          {0xb7, 0xd3, 0xec},
                                          {0x84, 0xb5, 0xdf},
                                          {0x4d, 0x92, 0xcc},
                                          {0x2a, 0x6c, 0xb0},
                                          {0x17, 0x4a, 0x8c},
                                          {0x0e, 0x2c, 0x60},
                                          {0x07, 0x13, 0x31}}};

double linear(std::uint8_t channel) {
  const double c = channel / 255.0;
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

std::uint8_t encoded(double c) {
  c = std::clamp(c, 0.0, 1.0);
  const double s = c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
  return static_cast<std::uint8_t>(std::lround(255 * s));
}

Oklab to_oklab(Rgb colour) {
  const double r = linear(colour.r), g = linear(colour.g), b = linear(colour.b);
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Rgb to_rgb(Oklab colour) {
  const double l = colour.lightness + 0.3963377774 * colour.a + 0.2158037573 * colour.b;
  const double m = colour.lightness - 0.1055613458 * colour.a - 0.0638541728 * colour.b;
  const double s = colour.lightness - 0.0894841775 * colour.a - 1.2914855480 * colour.b;
  const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
  return {encoded(4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3),
          encoded(-1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3),
          encoded(-0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3)};
}

Oklab between(Oklab low, Oklab high, double f) {
  return {low.lightness + f * (high.lightness - low.lightness), low.a + f * (high.a - low.a),
          low.b + f * (high.b - low.b)};
}

}  // namespace

Rgb difference_colour(double t) {
  if (std::isnan(t)) return {128, 128, 128};
  constexpr Rgb kBelow = {0xa3, 0x3e, 0x04}, kZero = {0xf7, 0xf8, 0xf9},
                kAbove = {0x1b, 0x55, 0x9c};
  return to_rgb(
      between(to_oklab(kZero), to_oklab(t < 0 ? kBelow : kAbove), std::min(std::abs(t), 1.0)));
}

Rgb weight_colour(double t) {
  if (std::isnan(t)) return {128, 128, 128};
  const double at = std::clamp(t, 0.0, 1.0) * (kControl.size() - 1);
  const std::size_t i = std::min<std::size_t>(static_cast<std::size_t>(at), kControl.size() - 2);
  const double f = at - static_cast<double>(i);
  return to_rgb(between(to_oklab(kControl[i]), to_oklab(kControl[i + 1]), f));
}

ColourTable::ColourTable(Rgb (*map)(double), double low)
    : low_(low), none_(map(std::numeric_limits<double>::quiet_NaN())) {
  constexpr int kSteps = 4096;
  for (int i = 0; i <= kSteps; ++i) colours_.push_back(map(low + (1 - low) * i / kSteps));
}

Rgb ColourTable::operator()(double t) const {
  if (std::isnan(t)) return none_;
  const double share = (std::clamp(t, low_, 1.0) - low_) / (1 - low_);
  return colours_[static_cast<std::size_t>(share * static_cast<double>(colours_.size() - 1) + 0.5)];
}

Rgb text_on(Rgb background) {
  // WCAG 2.1: contrast = (lighter + 0.05) / (darker + 0.05) of the relative luminances.
  const double y =
      0.2126 * linear(background.r) + 0.7152 * linear(background.g) + 0.0722 * linear(background.b);
  return (y + 0.05) / 0.05 >= 1.05 / (y + 0.05) ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

Scale scale_named(std::string_view name) {
  if (name == "linear") return Scale::kLinear;
  if (name == "log") return Scale::kLog;
  if (name == "rank") return Scale::kRank;
  throw Error("scale: expected linear, log or rank, found " + std::string(name),
              Error::Kind::kUsage);
}

Top top_named(std::string_view name) {
  if (name == "map") return Top::kMap;
  if (name == "row") return Top::kRow;
  throw Error("darkest: expected map or row, found " + std::string(name), Error::Kind::kUsage);
}

double scaled(double weight, double top, Scale scale) {
  if (std::isnan(weight)) return weight;
  if (!(top > 0) || weight <= 0) return 0;
  const double share = weight / top;
  if (scale == Scale::kLinear) return std::min(share, 1.0);
  return std::clamp(1 + std::log10(share) / 3, 0.0, 1.0);
}

}  // namespace regard
