// SPDX-License-Identifier: Apache-2.0
// UTF-8 by table 3-7 of the Unicode standard; display widths by ICU's East Asian Width.
#include "regard/platform/utf8.h"

#include <unicode/uchar.h>

namespace regard {

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {static_cast<char32_t>(lead), 1, true};
  std::size_t size = 0;
  unsigned low = 0x80, high = 0xbf;  // range of the second byte
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {0xfffd, 1, false};
  }
  char32_t value = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned next = byte(at + i);
    if (next < low || next > high) return {0xfffd, i, false};
    value = value << 6 | (next & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {value, size, true};
}

void append_utf8(std::string& out, char32_t value) {
  const auto add = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (value < 0x80) {
    add(value);
  } else if (value < 0x800) {
    add(0xc0 | value >> 6);
    add(0x80 | (value & 0x3f));
  } else if (value < 0x10000) {
    add(0xe0 | value >> 12);
    add(0x80 | (value >> 6 & 0x3f));
    add(0x80 | (value & 0x3f));
  } else {
    add(0xf0 | value >> 18);
    add(0x80 | (value >> 12 & 0x3f));
    add(0x80 | (value >> 6 & 0x3f));
    add(0x80 | (value & 0x3f));
  }
}

std::string mend_utf8(std::string_view text, std::size_t* replaced) {
  std::string out;
  out.reserve(text.size());
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (point.valid) {
      out.append(text.substr(at, point.size));
    } else {
      append_utf8(out, 0xfffd);
      ++count;
    }
    at += point.size;
  }
  if (replaced != nullptr) *replaced = count;
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  bool joined = false;  // after a zero-width joiner
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    at += point.size;
    const auto value = static_cast<UChar32>(point.value);
    if (value == 0x200d) {
      joined = width > 0;
      continue;
    }
    const int category = u_charType(value);
    const bool modifier = value >= 0x1f3fb && value <= 0x1f3ff && width > 0;
    if (category == U_NON_SPACING_MARK || category == U_ENCLOSING_MARK ||
        category == U_FORMAT_CHAR || category == U_CONTROL_CHAR || modifier ||
        (value >= 0x1160 && value <= 0x11ff))
      continue;
    if (!joined) {
      const int wide = u_getIntPropertyValue(value, UCHAR_EAST_ASIAN_WIDTH);
      width += wide == U_EA_WIDE || wide == U_EA_FULLWIDTH ? 2 : 1;
    }
    joined = false;
  }
  return width;
}

}  // namespace regard
