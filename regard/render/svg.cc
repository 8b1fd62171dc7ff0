// SPDX-License-Identifier: Apache-2.0
// SVG 1.1 (W3C, 2011) elements; XML 1.0 (fifth edition) characters, section 2.2; Base64 (RFC 4648).
#include "regard/render/svg.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "regard/platform/utf8.h"

namespace regard {
namespace {

// At most two decimals: a 7,200th of an inch.
std::string length(double value) {
  const double rounded = std::round(value * 100) / 100;
  return fmt::format("{}", rounded == 0 ? 0.0 : rounded);
}

std::string colour_name(Rgb colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.r, colour.g, colour.b);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const unsigned char byte =
          at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0;
      group = group << 8 | byte;
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += at + i > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * i) & 63];
    }
  }
  return out;
}

bool in_xml(char32_t value) {
  return value == '\t' || value == '\n' || value == '\r' || (value >= 0x20 && value < 0xd800) ||
         (value >= 0xe000 && value < 0xfffe) || value >= 0x10000;
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    switch (point.value) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        append_utf8(out, point.valid && in_xml(point.value) ? point.value : U'\ufffd');
    }
    at += point.size;
  }
  return out;
}

SvgPage::SvgPage(double width, double height, std::string_view title, std::string_view fonts) {
  out_ = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
      "width=\"{0}pt\" height=\"{1}pt\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
      "font-family=\"{2}\" xml:space=\"preserve\">\n<title>{3}</title>\n",
      length(width), length(height), xml_escaped(fonts), xml_escaped(title));
}

void SvgPage::text(const Line& line) {
  if (line.text.empty()) return;
  out_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"", length(line.x),
                      length(line.baseline), length(line.size), colour_name(line.colour));
  if (line.bold) out_ += " font-weight=\"bold\"";
  if (line.width > 0) {
    out_ += fmt::format(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", length(line.width));
  }
  if (line.degrees != 0) {
    out_ += fmt::format(" transform=\"rotate({} {} {})\"", length(line.degrees), length(line.x),
                        length(line.pivot));
  }
  out_ += '>' + xml_escaped(line.text) + "</text>\n";
}

void SvgPage::fill(double x, double y, double width, double height, Rgb colour) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                      length(x), length(y), length(width), length(height), colour_name(colour));
}

void SvgPage::frame(double x, double y, double width, double height, Rgb colour, double thickness) {
  out_ += fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{}\" "
      "stroke-width=\"{}\"/>\n",
      length(x), length(y), length(width), length(height), colour_name(colour), length(thickness));
}

void SvgPage::line(double x0, double y0, double x1, double y1, Rgb colour, double thickness) {
  out_ += fmt::format(
      "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"{}\"/>\n",
      length(x0), length(y0), length(x1), length(y1), colour_name(colour), length(thickness));
}

void SvgPage::image(std::string_view png, double x, double y, double width, double height) {
  out_ += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,{}\"/>\n",
      length(x), length(y), length(width), length(height), base64(png));
}

std::string SvgPage::finish() { return std::move(out_) + "</svg>\n"; }

}  // namespace regard
