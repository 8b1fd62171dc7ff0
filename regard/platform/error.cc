// SPDX-License-Identifier: Apache-2.0
// Errors as one printable line.
#include "regard/platform/error.h"

#include <fmt/format.h>

#include "regard/platform/utf8.h"

namespace regard {

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const bool control = point.value < 0x20 || (point.value >= 0x7f && point.value < 0xa0) ||
                         point.value == 0x2028 || point.value == 0x2029;
    if (point.valid && !control) {
      out.append(text.substr(at, point.size));
    } else {
      for (std::size_t i = 0; i < point.size; ++i)
        out += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[at + i]));
    }
    at += point.size;
  }
  return out;
}

Error::Error(std::string_view message, Kind kind) : message_(printable(message)), kind_(kind) {}

Error Error::at(std::string_view file, std::string_view place, std::string_view expected,
                std::string_view found) {
  constexpr std::size_t kLongest = 200;
  std::string message;
  for (std::string_view part : {file, place})
    if (!part.empty()) message += fmt::format("{}: ", part);
  message += fmt::format("expected {}, found {}", expected, found.substr(0, kLongest));
  if (found.size() > kLongest) message += "...";
  return Error(message);
}

}  // namespace regard
