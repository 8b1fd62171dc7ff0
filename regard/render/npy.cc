// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, versions 1.0 to 3.0, as numpy/lib/format.py describes them: magic, version,
// header length, a Python dictionary with descr, fortran_order and shape, then the raw elements.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/render/data.h"

namespace regard {
namespace {

static_assert(std::endian::native == std::endian::little, "raw elements are little-endian");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMostAxes = 32;

struct Header {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

// Reads the dictionary by its grammar; nothing is evaluated.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file, std::size_t offset)
      : text_(text), file_(file), offset_(offset) {}

  Header parse() {
    Header header;
    bool descr = false, fortran = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) {
        header.descr = string();
        descr = true;
      } else if (key == "fortran_order" && !fortran) {
        header.fortran = boolean();
        fortran = true;
      } else if (key == "shape" && !shape) {
        header.shape = tuple();
        shape = true;
      } else {
        fail("descr, fortran_order and shape, once each");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("the end of the header");
    if (!descr || !fortran || !shape) fail("descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw Error::at(file_, fmt::format("byte {}", offset_ + at_), expected,
                    at_ < text_.size() ? text_.substr(at_, 20) : "the end of the header");
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != text_.npos) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string(1, c));
  }
  std::string string() {
    skip_space();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) fail("a string");
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == text_.npos) fail("a string with its end");
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    if (inside.find('\\') != inside.npos) fail("a string without escapes");
    at_ = end + 1;
    return std::string(inside);
  }
  bool boolean() {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view name = value ? "True" : "False";
      if (text_.substr(at_, name.size()) == name) {
        at_ += name.size();
        return value;
      }
    }
    fail("True or False");
  }
  std::int64_t integer() {
    skip_space();
    const std::size_t start = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (value > (std::numeric_limits<std::int64_t>::max() - 9) / 10) fail("a smaller axis");
      value = value * 10 + (text_[at_] - '0');
    }
    if (at_ == start) fail("an axis, a number of at least 0");
    return value;
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(integer());
      if (shape.size() > kMostAxes) fail("at most 32 axes");
      if (accept(',')) continue;
      if (shape.size() == 1) fail("a comma: a tuple");
      expect(')');
      break;
    }
    return shape;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t offset_;
  std::size_t at_ = 0;
};

template <typename T>
float element(const std::byte* bytes, bool swap) {
  std::byte copy[sizeof(T)];
  std::memcpy(copy, bytes, sizeof(T));
  if (swap) std::reverse(copy, copy + sizeof(T));
  T value;
  std::memcpy(&value, copy, sizeof(T));
  return static_cast<float>(value);
}

// IEEE 754 binary16: sign, 5 bits of exponent with bias 15, 10 bits of fraction.
float element_f16(const std::byte* bytes, bool swap) {
  const int low = std::to_integer<int>(bytes[swap ? 1 : 0]);
  const int high = std::to_integer<int>(bytes[swap ? 0 : 1]);
  const int exponent = (high >> 2) & 31, fraction = (high & 3) << 8 | low;
  float value = std::numeric_limits<float>::infinity();
  if (exponent < 31) {
    value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                          : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  } else if (fraction != 0) {
    value = std::numeric_limits<float>::quiet_NaN();
  }
  return (high & 0x80) != 0 ? -value : value;
}

float element_bool(const std::byte* bytes, bool) { return bytes[0] == std::byte{0} ? 0.f : 1.f; }

struct Kind {
  std::string_view code;
  std::size_t size;
  float (*read)(const std::byte*, bool swap);
};
constexpr Kind kKinds[] = {{"f2", 2, element_f16},
                           {"f4", 4, element<float>},
                           {"f8", 8, element<double>},
                           {"i1", 1, element<std::int8_t>},
                           {"i2", 2, element<std::int16_t>},
                           {"i4", 4, element<std::int32_t>},
                           {"i8", 8, element<std::int64_t>},
                           {"u1", 1, element<std::uint8_t>},
                           {"u2", 2, element<std::uint16_t>},
                           {"u4", 4, element<std::uint32_t>},
                           {"u8", 8, element<std::uint64_t>},
                           {"b1", 1, element_bool}};

}  // namespace

std::string npy_header(std::span<const std::int64_t> shape) {
  std::string tuple = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    tuple += fmt::format("{}{}", i > 0 ? ", " : "", shape[i]);
  }
  tuple += shape.size() == 1 ? ",)" : ")";
  std::string dictionary =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", tuple);
  const std::size_t before = kMagic.size() + 4;  // version and length
  const std::size_t used = before + dictionary.size() + 1;
  dictionary.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  dictionary += '\n';
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  out += static_cast<char>(dictionary.size() & 0xff);
  out += static_cast<char>(dictionary.size() >> 8);
  return out + dictionary;
}

void write_npy(const Trace& trace, const std::vector<HeadId>& heads, const Sink& sink) {
  std::vector<HeadId> sorted = heads;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> layers, names;
  for (const HeadId id : sorted) {
    if (std::find(layers.begin(), layers.end(), id.layer) == layers.end()) {
      layers.push_back(id.layer);
    }
    if (std::find(names.begin(), names.end(), id.head) == names.end()) names.push_back(id.head);
  }
  const bool repeated = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (sorted.empty() || repeated || sorted.size() != layers.size() * names.size()) {
    throw Error(
        "npy: expected the same heads of every layer, found another choice: an array "
        "[layer, head, query, key] has no room for it",
        Error::Kind::kUsage);
  }
  const AttentionMap first = trace.map(sorted.front());
  const std::int64_t rows = first.rows(), columns = first.columns();
  for (const HeadId id : sorted) {
    const AttentionMap map = trace.map(id);
    if (map.rows() != rows || map.columns() != columns) {
      throw Error(fmt::format("npy: expected maps of {} x {}, found {} x {} in {}", rows, columns,
                              map.rows(), map.columns(), to_string(id)));
    }
  }
  const std::int64_t shape[] = {static_cast<std::int64_t>(layers.size()),
                                static_cast<std::int64_t>(names.size()), rows, columns};
  sink(npy_header(shape));
  // Rows enough for all cores, and some 16 megabytes of them.
  const std::int64_t block =
      std::clamp((std::int64_t{1} << 22) / std::max<std::int64_t>(1, columns) / kQueryBlock,
                 std::int64_t{1}, std::int64_t{16}) *
      kQueryBlock;
  std::vector<float> buffer(static_cast<std::size_t>(std::min(block, rows) * columns));
  for (const HeadId id : sorted) {
    const AttentionMap map = trace.map(id);
    for (std::int64_t begin = 0; begin < rows; begin += block) {
      const std::int64_t end = std::min(begin + block, rows);
      map.read_rows(begin, end, buffer.data());
      sink({reinterpret_cast<const char*>(buffer.data()),
            static_cast<std::size_t>((end - begin) * columns) * sizeof(float)});
    }
  }
}

NpyArray read_npy(const std::string& path) {
  const MappedFile file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kMagic.size()) != kMagic) {
    throw Error::at(path, "byte 0", "\\x93NUMPY, the start of a .npy file",
                    text.substr(0, kMagic.size()));
  }
  if (text.size() < kMagic.size() + 4) {
    throw Error::at(path, "byte 6", "a version and a header length", "the end of the file");
  }
  const int major = static_cast<unsigned char>(text[6]),
            minor = static_cast<unsigned char>(text[7]);
  if (major < 1 || major > 3 || minor != 0) {
    throw Error::at(path, "byte 6", "version 1.0, 2.0 or 3.0", fmt::format("{}.{}", major, minor));
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4, start = 8 + length_bytes;
  if (text.size() < start) {
    throw Error::at(path, "byte 8", "a header length", "the end of the file");
  }
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length |= static_cast<std::size_t>(static_cast<unsigned char>(text[8 + i])) << (8 * i);
  }
  if (length > text.size() - start) {
    throw Error::at(path, "byte 8",
                    fmt::format("a header of at most {} bytes", text.size() - start),
                    fmt::format("{}", length));
  }
  const Header header = HeaderParser(text.substr(start, length), path, start).parse();
  const std::string_view descr = header.descr;
  const Kind* kind = nullptr;
  for (const Kind& known : kKinds) {
    const bool order =
        !descr.empty() &&
        (descr[0] == '<' || descr[0] == '>' ||
         ((descr[0] == '|' || descr[0] == '=') && (known.size == 1 || descr[0] == '=')));
    if (order && descr.substr(1) == known.code) kind = &known;
  }
  if (kind == nullptr) {
    throw Error::at(path, "descr", "f2, f4, f8, i1 to i8, u1 to u8 or b1, with its byte order",
                    descr);
  }
  const std::int64_t count = element_count(header.shape);  // Error on overflow
  const std::size_t data = bytes.size() - start - length;
  if (static_cast<std::uint64_t>(count) != data / kind->size || data % kind->size != 0) {
    throw Error::at(path, fmt::format("byte {}", start + length),
                    fmt::format("{} elements of {} bytes for the shape {}", count, kind->size,
                                to_string(header.shape)),
                    fmt::format("{} bytes", data));
  }
  NpyArray array{header.shape, std::vector<float>(static_cast<std::size_t>(count))};
  const bool swap = descr[0] == '>';
  const std::byte* elements = bytes.data() + start + length;
  if (count == 0) return array;  // axes beside one of 0 may be of any size: no strides
  // Strides in elements: the last axis runs fastest, in Fortran order the first.
  const std::size_t axes = header.shape.size();
  std::vector<std::int64_t> stride(axes), index(axes, 0);
  std::int64_t step = 1;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t axis = header.fortran ? i : axes - 1 - i;
    stride[axis] = step;
    step *= header.shape[axis];
  }
  std::int64_t from = 0;
  for (float& out : array.data) {
    out = kind->read(elements + static_cast<std::size_t>(from) * kind->size, swap);
    for (std::size_t axis = axes; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < header.shape[axis]) break;
      from -= stride[axis] * header.shape[axis];
      index[axis] = 0;
    }
  }
  return array;
}

}  // namespace regard
