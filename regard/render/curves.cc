// SPDX-License-Identifier: Apache-2.0
// Axes with round numbers, a band and a line a curve, a legend.
#include "regard/render/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "regard/render/svg.h"

namespace regard {
namespace {

constexpr double kWidth = 720, kPanel = 240, kLeft = 64, kRight = 16, kTop = 34, kBottom = 40;
constexpr int kColumns = 320;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  // The halves: the difference of two finite numbers may be none.
  double share(double x) const {
    return high > low ? (x / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
  }
  // Wide enough that numbers between its ends differ.
  Range drawn() const {
    if (low > high) return {0, 1};
    const double least = 1e-9 * std::max(std::abs(low), std::abs(high));
    if (high / 2 - low / 2 > least) return *this;
    constexpr double kMost = std::numeric_limits<double>::max();
    return {std::max(low - 0.5 - least, -kMost), std::min(high + 0.5 + least, kMost)};
  }
};

bool finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

// 1, 2 or 5 times a power of ten that parts the range into at most `most` steps.
double round_step(const Range& range, int most) {
  const double rough = range.high / most - range.low / most;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

struct Column {
  double step = 0, mean = 0;
  Range values;
  bool joined = false;  // to the column before: nothing that is not finite lies between
};

std::vector<Column> columns_of(const Curve2d& curve, const Range& steps) {
  std::vector<Column> out;
  int last = -1, count = 0;
  bool joined = false;
  for (const auto& [step, value] : curve.points) {
    if (!finite({step, value})) {
      joined = false;
      last = -1;
      continue;
    }
    const int column = static_cast<int>(steps.share(step) * (kColumns - 1));
    if (column != last) {
      out.emplace_back().joined = joined;
      count = 0;
    }
    joined = true;
    last = column;
    Column& c = out.back();
    ++count;
    c.step += (step - c.step) / count;
    c.mean += value / count - c.mean / count;
    c.values.add(value);
  }
  return out;
}

std::string colour_of(Rgb c) { return fmt::format("#{:02x}{:02x}{:02x}", c.r, c.g, c.b); }

std::string panel_svg(const CurvePanel& panel, const Range& steps, double top) {
  Range values;
  for (const Curve2d& curve : panel.curves)
    for (const auto& point : curve.points)
      if (finite(point)) values.add(point.second);
  values = values.drawn();
  const double height = kPanel - kTop - kBottom, width = kWidth - kLeft - kRight;
  const auto x = [&](double step) { return kLeft + width * steps.share(step); };
  const auto y = [&](double value) { return top + kTop + height * (1 - values.share(value)); };
  std::string out = fmt::format("<text x=\"{}\" y=\"{:.1f}\" font-weight=\"bold\">{}</text>\n",
                                kLeft, top + 20, xml_escaped(panel.title));
  const auto each_tick = [](const Range& range, int most, double least, const auto& body) {
    const double step = std::max(round_step(range, most), least);
    const double first = std::ceil(range.low / step - 1e-9);
    for (int i = 0; i <= most && (first + i) * step - range.high <= 1e-9 * step; ++i)
      body((first + i) * step);
  };
  each_tick(values, 5, 0.0, [&](double v) {
    out += fmt::format(
        "<path d=\"M{} {:.1f}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:.6g}</text>\n",
        kLeft, y(v), kWidth - kRight, kLeft - 6, y(v) + 4, v);
  });
  each_tick(steps, 8, 1.0, [&](double s) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.6g}</text>\n",
                       x(s), top + kPanel - kBottom + 16, s);
  });
  out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">step</text>\n",
                     kLeft + width / 2, top + kPanel - kBottom + 31);
  double right = kWidth - kRight;
  for (const Curve2d& curve : panel.curves) {
    const std::vector<Column> columns = columns_of(curve, steps);
    const std::string colour = colour_of(curve.colour);
    const auto broken =
        static_cast<std::size_t>(std::count_if(curve.points.begin(), curve.points.end(),
                                               [](const auto& point) { return !finite(point); }));
    const bool banded = columns.size() < curve.points.size() - broken;
    for (std::size_t begin = 0, end = 0; begin < columns.size(); begin = end) {
      std::string upper, lower, line;
      for (end = begin; end == begin || (end < columns.size() && columns[end].joined); ++end) {
        const Column& c = columns[end];
        upper += fmt::format(" {:.1f},{:.1f}", x(c.step), y(c.values.high));
        lower = fmt::format(" {:.1f},{:.1f}", x(c.step), y(c.values.low)) + lower;
        line += fmt::format(" {:.1f},{:.1f}", x(c.step), y(c.mean));
      }
      if (banded)
        out += fmt::format("<polygon points=\"{}{}\" fill=\"{}\" fill-opacity=\"0.2\"/>\n",
                           upper.substr(1), lower, colour);
      if (end == begin + 1)
        out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" fill=\"{}\"/>\n",
                           x(columns[begin].step), y(columns[begin].mean), colour);
      else
        out += fmt::format(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n",
            line.substr(1), colour);
    }
    const std::string name =
        broken == 0 ? curve.name : fmt::format("{} ({} not finite)", curve.name, broken);
    out +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n",
                    right, top + 20, colour, xml_escaped(name));
    right -= 8.0 * static_cast<double>(name.size()) + 16;
  }
  return out;
}

}  // namespace

std::string curves_svg(const std::string& title, const std::vector<CurvePanel>& panels) {
  Range steps;
  for (const CurvePanel& panel : panels)
    for (const Curve2d& curve : panel.curves)
      for (const auto& point : curve.points)
        if (std::isfinite(point.first)) steps.add(point.first);
  steps = steps.drawn();
  const double height = kPanel * static_cast<double>(panels.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"DejaVu Sans, sans-serif\" font-size=\"12\">\n<title>{2}</title>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kWidth, height, xml_escaped(title));
  for (std::size_t i = 0; i < panels.size(); ++i)
    out += panel_svg(panels[i], steps, kPanel * static_cast<double>(i));
  return out + "</svg>\n";
}

}  // namespace regard
