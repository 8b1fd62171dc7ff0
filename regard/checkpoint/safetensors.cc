// SPDX-License-Identifier: Apache-2.0
// The safetensors format, read strictly and written aligned.
// Source: github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs.
#include "regard/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "regard/checkpoint/safetensors_stream.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/output_file.h"

namespace regard {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::uint64_t kAlignment = 64;
constexpr std::string_view kMetadata = "__metadata__";
constexpr DType kTypes[] = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64,
                            DType::kI32, DType::kI16, DType::kI8,  DType::kU8,   DType::kBool};

std::string supported_types() {
  std::string list;
  for (const DType type : kTypes)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", name_of(type));
  return list;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::to_integer<unsigned>(bytes[i]);
  return value;
}

// The header's text, once its length is known to fit.
std::string_view header_of(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < kLengthBytes)
    throw Error::at(file.path(), "byte 0", "8 bytes of header length",
                    fmt::format("a file of {} bytes", bytes.size()));
  const std::uint64_t length = little_endian(bytes.first(kLengthBytes));
  if (length > kLongestHeader)
    throw Error::at(file.path(), "byte 0",
                    fmt::format("a header of at most {} bytes", kLongestHeader),
                    fmt::format("{}", length));
  if (length > bytes.size() - kLengthBytes)
    throw Error::at(file.path(), "byte 0", fmt::format("a header of {} bytes", length),
                    fmt::format("a file that ends after {} bytes", bytes.size()));
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                static_cast<std::size_t>(length));
  if (header.empty() || header.front() != '{')
    throw Error::at(file.path(), fmt::format("byte {}", kLengthBytes), "a header starting with '{'",
                    header.empty() ? "an empty header" : header.substr(0, 1));
  return header;
}

// A tensor's place in the data.
struct Range {
  std::uint64_t begin, end;
  std::string name;
};

DType read_type(const Json& value) {
  const std::optional<DType> type = dtype_named(value.string());
  if (!type) throw value.wrong("one of " + supported_types());
  return *type;
}

Shape read_shape(const Json& value) {
  Shape shape;
  value.for_each_element([&](std::size_t, Json axis) {
    if (axis.integer() < 0) throw axis.wrong("an axis of 0 or more");
    shape.push_back(axis.integer());
  });
  return shape;
}

std::pair<std::uint64_t, std::uint64_t> read_offsets(const Json& value) {
  if (!value.is_array() || value.size() != 2) throw value.wrong("two offsets");
  std::uint64_t offsets[2] = {0, 0};
  value.for_each_element([&](std::size_t index, Json offset) {
    if (offset.integer() < 0) throw offset.wrong("an offset of 0 or more");
    offsets[index] = static_cast<std::uint64_t>(offset.integer());
  });
  return {offsets[0], offsets[1]};
}

void check_cover(const std::string& path, std::vector<Range>& ranges, std::uint64_t data_size) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.begin != covered)
      throw Error::at(path, range.name, fmt::format("data from offset {}", covered),
                      fmt::format("{} from offset {}",
                                  range.begin < covered ? "an overlap" : "a hole", range.begin));
    covered = range.end;
  }
  if (covered != data_size)
    throw Error::at(path, fmt::format("data offset {}", covered), "the end of the file",
                    fmt::format("{} bytes that no tensor has", data_size - covered));
}

bool fits(std::span<const std::int64_t> pattern, const Shape& shape) {
  return std::equal(
      pattern.begin(), pattern.end(), shape.begin(), shape.end(),
      [](std::int64_t want, std::int64_t have) { return want == -1 || want == have; });
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  return read(MappedFile::open(path));
}

SafetensorsFile SafetensorsFile::read(MappedFile file) {
  SafetensorsFile result(std::move(file));
  const std::string& path = result.path();
  const std::string_view header = header_of(result.file_);
  const std::uint64_t begin = kLengthBytes + header.size();
  const std::uint64_t data_size = result.file_.bytes().size() - begin;
  const std::byte* data = result.file_.bytes().data() + begin;

  const JsonDocument document = JsonDocument::parse(header, path + ": header", true);
  std::vector<Range> ranges;
  document.root().for_each_member([&](std::string_view name, Json value) {
    if (name == kMetadata) {
      value.for_each_member(
          [&](std::string_view key, Json text) { result.metadata_.emplace(key, text.string()); });
      return;
    }
    TensorView view;
    view.dtype = read_type(value.at("dtype"));
    view.shape = read_shape(value.at("shape"));
    const std::optional<std::uint64_t> bytes = byte_count(view.shape, view.dtype);
    if (!bytes)
      throw Error::at(path, fmt::format("header: {}.shape", name), "a size that 63 bits can count",
                      to_string(view.shape));
    const Json place = value.at("data_offsets");
    const auto [first, last] = read_offsets(place);
    const std::string found = fmt::format("[{}, {}]", first, last);
    if (first > last || last > data_size)
      throw Error::at(path, fmt::format("header: {}.data_offsets", name),
                      fmt::format("an ascending pair within {} bytes of data", data_size), found);
    if (last - first != *bytes)
      throw Error::at(
          path, fmt::format("header: {}.data_offsets", name),
          fmt::format("{} bytes for {} {}", *bytes, name_of(view.dtype), to_string(view.shape)),
          fmt::format("{} bytes, {}", last - first, found));
    // Other writers align nothing, so this may be an odd address: see TensorView::f32.
    view.data = data + first;
    ranges.push_back({first, last, std::string(name)});
    result.tensors_.emplace(name, std::move(view));
  });
  check_cover(path, ranges, data_size);
  return result;
}

std::optional<TensorView> SafetensorsFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return std::nullopt;
  return found->second;
}

TensorView SafetensorsFile::at(std::string_view name, DType dtype,
                               std::span<const std::int64_t> shape) const {
  const std::optional<TensorView> view = find(name);
  const std::string expected = fmt::format("{} {}", name_of(dtype), to_string(shape));
  if (!view) throw Error::at(path(), name, expected, "no such tensor");
  if (view->dtype != dtype || !fits(shape, view->shape))
    throw Error::at(path(), name, expected,
                    fmt::format("{} {}", name_of(view->dtype), to_string(view->shape)));
  return *view;
}

namespace {

// What write_safetensors puts where.
struct Layout {
  std::string prefix;               // header length and header
  std::vector<std::uint64_t> gaps;  // bytes of padding after each entry
  std::uint64_t size = 0;           // of the whole file
};

std::uint64_t padding_after(std::uint64_t offset) {
  return (kAlignment - offset % kAlignment) % kAlignment;
}

Layout layout_of(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                 const std::map<std::string, std::string>& metadata) {
  Layout layout;
  std::string header = "{";
  if (!metadata.empty()) {
    header += fmt::format("\"{}\":{{", kMetadata);
    const char* comma = "";
    for (const auto& [key, value] : metadata) {
      header += fmt::format("{}{}:{}", comma, json_quoted(key), json_quoted(value));
      comma = ",";
    }
    header += "}";
  }
  std::set<std::string> names{std::string(kMetadata)};
  std::uint64_t offset = 0;
  const auto add = [&](const std::string& name, DType type, const Shape& shape) {
    if (!names.insert(name).second)
      throw Error::at(path, name, "a name of its own for each tensor", "it twice or reserved");
    const std::optional<std::uint64_t> bytes = byte_count(shape, type);
    std::uint64_t end = 0;
    if (element_count(shape) < 0 || !bytes || __builtin_add_overflow(offset, *bytes, &end) ||
        end >> 62 != 0)
      throw Error::at(path, name, "a file of less than 2^62 bytes", to_string(shape));
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[", header.size() > 1 ? "," : "",
                          json_quoted(name), name_of(type));
    for (std::size_t i = 0; i < shape.size(); ++i)
      header += fmt::format("{}{}", i == 0 ? "" : ",", shape[i]);
    header += fmt::format("],\"data_offsets\":[{},{}]}}", offset, end);
    offset = end;
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    add(entries[i].name, entries[i].view.dtype, entries[i].view.shape);
    const std::uint64_t gap = i + 1 < entries.size() ? padding_after(offset) : 0;
    if (gap != 0)
      add(fmt::format("padding.{}", i), DType::kU8, Shape{static_cast<std::int64_t>(gap)});
    layout.gaps.push_back(gap);
  }
  header += "}";
  header.append(padding_after(kLengthBytes + header.size()), ' ');
  if (header.size() > kLongestHeader)
    throw Error::at(path, "header", fmt::format("at most {} bytes", kLongestHeader),
                    fmt::format("{}", header.size()));
  for (std::uint64_t i = 0; i < kLengthBytes; ++i)
    layout.prefix += static_cast<char>(header.size() >> (8 * i) & 0xff);
  layout.prefix += header;
  layout.size = layout.prefix.size() + offset;
  return layout;
}

}  // namespace

void write_safetensors(const std::function<void(std::string_view)>& write, const std::string& name,
                       const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata) {
  const Layout layout = layout_of(name, entries, metadata);
  write(layout.prefix);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TensorView& view = entries[i].view;
    write({reinterpret_cast<const char*>(view.data),
           static_cast<std::size_t>(view.size()) * size_of(view.dtype)});
    write(std::string(layout.gaps[i], '\0'));
  }
}

void write_safetensors(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata) {
  OutputFile file(path);
  write_safetensors([&](std::string_view bytes) { file.write(bytes); }, path, entries, metadata);
  file.commit();
}

std::uint64_t safetensors_size(const std::vector<SafetensorsEntry>& entries,
                               const std::map<std::string, std::string>& metadata) {
  return layout_of("", entries, metadata).size;
}

SafetensorsStream::SafetensorsStream(const std::string& path, std::uint64_t header_room)
    : path_(path), room_((header_room + kAlignment - 1) / kAlignment * kAlignment), file_(path) {
  if (!file_.is_regular())
    throw Error::at(path, "", "a regular file, which can be written out of order",
                    "another kind of file");
  file_.write(std::string(room_, '\0'));
}

void SafetensorsStream::add(const std::string& name, const TensorView& view) {
  for (const SafetensorsEntry& entry : entries_)
    if (entry.name == name) throw Error::at(path_, name, "a name of its own", "it twice");
  file_.write(std::string(padding_after(file_.size()), '\0'));
  file_.write(std::span(view.data, static_cast<std::size_t>(view.size()) * size_of(view.dtype)));
  entries_.push_back({name, {view.dtype, view.shape, nullptr}});
}

void SafetensorsStream::commit(const std::map<std::string, std::string>& metadata) {
  Layout layout = layout_of(path_, entries_, metadata);
  if (layout.prefix.size() > room_)
    throw Error::at(path_, "header", fmt::format("at most {} bytes", room_),
                    fmt::format("{}", layout.prefix.size()));
  layout.prefix.resize(room_, ' ');
  for (std::uint64_t i = 0; i < kLengthBytes; ++i)
    layout.prefix[i] = static_cast<char>((room_ - kLengthBytes) >> (8 * i) & 0xff);
  file_.write_start(layout.prefix);
  file_.commit();
}

}  // namespace regard
