// SPDX-License-Identifier: Apache-2.0
// The GGUF format, read strictly. Source: github.com/ggml-org/ggml, docs/gguf.md.
#include "regard/checkpoint/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "regard/checkpoint/byte_reader.h"
#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"

namespace regard {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kLongestKey = 65535, kLongestName = 63, kMostAxes = 4;
constexpr std::uint64_t kDefaultAlignment = 32;
// The least that one entry takes: key length, type and a byte; name length, axes, type, offset.
constexpr std::uint64_t kLeastValue = 8 + 4 + 1, kLeastTensor = 8 + 4 + 4 + 8;
constexpr std::string_view kAlignmentKey = "general.alignment";

struct Scalar {
  std::string_view name;
  std::uint64_t size;  // 0: of its own length
};
// In the order of GgufType.
constexpr std::array<Scalar, 13> kScalars = {{{"U8", 1},
                                              {"I8", 1},
                                              {"U16", 2},
                                              {"I16", 2},
                                              {"U32", 4},
                                              {"I32", 4},
                                              {"F32", 4},
                                              {"a boolean", 1},
                                              {"a string", 0},
                                              {"an array", 0},
                                              {"U64", 8},
                                              {"I64", 8},
                                              {"F64", 8}}};

const Scalar& scalar_of(GgufType type) { return kScalars[static_cast<std::size_t>(type)]; }

// The element types of tensors, as ggml.h numbers them; without a DType: known and not read.
struct TensorType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DType> type;
};
constexpr TensorType kTensorTypes[] = {
    {0, "F32", DType::kF32},
    {1, "F16", DType::kF16},
    {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},
    {6, "Q5_0", DType::kQ5_0},
    {7, "Q5_1", DType::kQ5_1},
    {8, "Q8_0", DType::kQ8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", DType::kQ2_K},
    {11, "Q3_K", DType::kQ3_K},
    {12, "Q4_K", DType::kQ4_K},
    {13, "Q5_K", DType::kQ5_K},
    {14, "Q6_K", DType::kQ6_K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", DType::kIQ4_NL},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", {}},
    {24, "I8", DType::kI8},
    {25, "I16", DType::kI16},
    {26, "I32", DType::kI32},
    {27, "I64", DType::kI64},
    {28, "F64", DType::kF64},
    {29, "IQ1_M", {}},
    {30, "BF16", DType::kBF16},
    {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},
    {39, "MXFP4", DType::kMXFP4},
    {40, "NVFP4", {}},
};

DType tensor_type(const ByteReader& reader, std::uint64_t where, std::string_view name,
                  std::uint32_t number) {
  std::string found = fmt::format("type {}", number), known;
  for (const TensorType& entry : kTensorTypes) {
    if (entry.number == number) {
      if (entry.type) return *entry.type;
      found = entry.name;
    }
    if (entry.type) known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  throw reader.wrong(where, fmt::format("one of {} for {}", known, name), found);
}

// A place in an error; keys may be long.
std::string shortened(std::string_view key) { return std::string(key.substr(0, 100)); }

std::string_view read_text(ByteReader& reader, std::string_view what) {
  return reader.text(reader.number<std::uint64_t>("the length of a text"), what);
}

GgufType read_type(ByteReader& reader) {
  const std::uint64_t where = reader.position();
  const auto number = reader.number<std::uint32_t>("a value's type");
  if (number >= kScalars.size())
    throw reader.wrong(where, "a value's type of 0 to 12", fmt::format("{}", number));
  return static_cast<GgufType>(number);
}

// Passes over `count` elements and returns their bytes.
std::span<const std::byte> skip(ByteReader& reader, std::span<const std::byte> file, GgufType type,
                                std::uint64_t count) {
  const std::uint64_t begin = reader.position();
  if (type == GgufType::kString) {
    if (count > reader.remaining() / 8)
      throw reader.wrong(begin, fmt::format("{} texts of 8 bytes or more", count),
                         fmt::format("{} bytes", reader.remaining()));
    for (std::uint64_t i = 0; i < count; ++i) read_text(reader, "a text");
  } else {
    const std::uint64_t size = scalar_of(type).size;
    if (count > reader.remaining() / size)
      throw reader.wrong(begin, fmt::format("{} elements of {} bytes", count, size),
                         fmt::format("{} bytes", reader.remaining()));
    const std::span<const std::byte> bytes = reader.take(count * size, "elements");
    if (type == GgufType::kBool)
      for (std::size_t i = 0; i < bytes.size(); ++i)
        if (std::to_integer<unsigned>(bytes[i]) > 1)
          throw reader.wrong(begin + i, "a boolean of 0 or 1",
                             fmt::format("{}", std::to_integer<unsigned>(bytes[i])));
  }
  return file.subspan(static_cast<std::size_t>(begin),
                      static_cast<std::size_t>(reader.position() - begin));
}

bool is_integer(GgufType type) {
  return type != GgufType::kF32 && type != GgufType::kF64 && type != GgufType::kString &&
         type != GgufType::kArray && type != GgufType::kBool;
}

// The number at `bytes`, whatever its type, as T.
template <typename T>
T load(GgufType type, const std::byte* bytes) {
  const auto as = [&](auto value) {
    std::memcpy(&value, bytes, sizeof value);
    return static_cast<T>(value);
  };
  switch (type) {
    case GgufType::kU8:
    case GgufType::kBool:
      return as(std::uint8_t{});
    case GgufType::kI8:
      return as(std::int8_t{});
    case GgufType::kU16:
      return as(std::uint16_t{});
    case GgufType::kI16:
      return as(std::int16_t{});
    case GgufType::kU32:
      return as(std::uint32_t{});
    case GgufType::kI32:
      return as(std::int32_t{});
    case GgufType::kU64:
      return as(std::uint64_t{});
    case GgufType::kI64:
      return as(std::int64_t{});
    case GgufType::kF32:
      return as(float{});
    default:
      return as(double{});
  }
}

// Where a tensor's data lie, for the check of overlaps.
struct Range {
  std::uint64_t begin, end;
  std::string_view name;
};

void check_overlaps(const std::string& path, std::vector<Range>& ranges) {
  const auto by_begin = [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  };
  if (!std::is_sorted(ranges.begin(), ranges.end(), by_begin))
    std::sort(ranges.begin(), ranges.end(), by_begin);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin < ranges[i - 1].end)
      throw Error::at(path, ranges[i].name, fmt::format("data behind {}", ranges[i - 1].name),
                      fmt::format("an overlap at offset {}", ranges[i].begin));
}

}  // namespace

Error GgufValue::wrong(std::string_view expected) const {
  return Error::at(file_, shortened(key_), expected, describe());
}

std::string GgufValue::describe() const {
  if (is_array())
    return fmt::format("an array of {} elements of type {}", count_, scalar_of(element_).name);
  if (type_ == GgufType::kString) return fmt::format("\"{}\"", string());
  if (type_ == GgufType::kBool) return boolean() ? "true" : "false";
  if (type_ == GgufType::kU64) return fmt::format("{}", load<std::uint64_t>(type_, bytes_.data()));
  if (is_integer(type_)) return fmt::format("{}", load<std::int64_t>(type_, bytes_.data()));
  return fmt::format("{}", load<double>(type_, bytes_.data()));
}

bool GgufValue::boolean() const {
  if (type_ != GgufType::kBool) throw wrong("a boolean");
  return load<int>(type_, bytes_.data()) != 0;
}

std::int64_t GgufValue::integer() const {
  if (!is_integer(type_)) throw wrong("an integer");
  const auto value = load<std::int64_t>(type_, bytes_.data());
  if (type_ == GgufType::kU64 && value < 0) throw wrong("an integer below 2^63");
  return value;
}

double GgufValue::number() const {
  if (!is_integer(type_) && type_ != GgufType::kF32 && type_ != GgufType::kF64)
    throw wrong("a number");
  return load<double>(type_, bytes_.data());
}

std::string_view GgufValue::string() const {
  if (type_ != GgufType::kString) throw wrong("a string");
  return {reinterpret_cast<const char*>(bytes_.data()) + 8, bytes_.size() - 8};
}

std::vector<std::int64_t> GgufValue::integers() const {
  if (!is_array() || (count_ > 0 && !is_integer(element_) && element_ != GgufType::kBool))
    throw wrong("an array of integers");
  std::vector<std::int64_t> values(size());
  const std::size_t step = static_cast<std::size_t>(scalar_of(element_).size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = load<std::int64_t>(element_, bytes_.data() + i * step);
    if (element_ == GgufType::kU64 && values[i] < 0) throw wrong("integers below 2^63");
  }
  return values;
}

std::vector<float> GgufValue::floats() const {
  if (!is_array() || (count_ > 0 && element_ != GgufType::kF32 && element_ != GgufType::kF64))
    throw wrong("an array of F32 or F64");
  std::vector<float> values(size());
  const std::size_t step = static_cast<std::size_t>(scalar_of(element_).size);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = load<float>(element_, bytes_.data() + i * step);
  return values;
}

std::vector<std::string_view> GgufValue::strings() const {
  if (!is_array() || (count_ > 0 && element_ != GgufType::kString))
    throw wrong("an array of strings");
  std::vector<std::string_view> values(size());
  ByteReader reader(bytes_, file_);
  for (std::string_view& value : values) value = read_text(reader, "a text");
  return values;
}

struct GgufFile::State {
  explicit State(MappedFile f) : file(std::move(f)) {}
  MappedFile file;
  std::uint32_t version = 0;
  std::uint64_t alignment = kDefaultAlignment;
  std::vector<GgufValue> metadata;
  std::vector<NamedTensor> tensors;

  void read_metadata(ByteReader& reader, std::uint64_t count);
  void read_alignment();
  void read_tensors(ByteReader& reader, std::uint64_t count);
};

void GgufFile::State::read_metadata(ByteReader& reader, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufValue value;
    value.file_ = file.path();
    const std::uint64_t where = reader.position();
    value.key_ = read_text(reader, "a key");
    if (value.key_.empty() || value.key_.size() > kLongestKey)
      throw reader.wrong(where, fmt::format("a key of 1 to {} bytes", kLongestKey),
                         fmt::format("{} bytes", value.key_.size()));
    value.type_ = value.element_ = read_type(reader);
    if (value.is_array()) {
      const std::uint64_t place = reader.position();
      value.element_ = read_type(reader);
      if (value.element_ == GgufType::kArray)
        throw reader.wrong(place, "an array of plain values", "an array of arrays");
      value.count_ = reader.number<std::uint64_t>("the length of an array");
    }
    value.bytes_ = skip(reader, file.bytes(), value.element_, value.count_);
    metadata.push_back(value);
  }
  std::sort(metadata.begin(), metadata.end(),
            [](const GgufValue& a, const GgufValue& b) { return a.key() < b.key(); });
  for (std::size_t i = 1; i < metadata.size(); ++i)
    if (metadata[i].key() == metadata[i - 1].key())
      throw Error::at(file.path(), shortened(metadata[i].key()), "each key once", "it twice");
}

void GgufFile::State::read_alignment() {
  for (const GgufValue& value : metadata) {
    if (value.key() != kAlignmentKey) continue;
    if (value.type() != GgufType::kU32 ||
        !std::has_single_bit(static_cast<std::uint32_t>(value.integer())))
      throw value.wrong("a power of two as U32");
    alignment = static_cast<std::uint64_t>(value.integer());
  }
}

void GgufFile::State::read_tensors(ByteReader& reader, std::uint64_t count) {
  std::vector<Range> ranges;
  for (std::uint64_t i = 0; i < count; ++i) {
    NamedTensor tensor;
    std::uint64_t where = reader.position();
    tensor.name = read_text(reader, "a tensor's name");
    if (tensor.name.size() > kLongestName)
      throw reader.wrong(where, fmt::format("a tensor's name of at most {} bytes", kLongestName),
                         fmt::format("{} bytes", tensor.name.size()));
    where = reader.position();
    const auto axes = reader.number<std::uint32_t>("a number of axes");
    if (axes > kMostAxes)
      throw reader.wrong(where, fmt::format("at most {} axes for {}", kMostAxes, tensor.name),
                         fmt::format("{}", axes));
    tensor.view.shape.resize(axes);
    for (std::size_t axis = axes; axis-- > 0;) {
      where = reader.position();
      tensor.view.shape[axis] = reader.number<std::int64_t>("an axis");
      if (tensor.view.shape[axis] < 0)
        throw reader.wrong(where, fmt::format("an axis below 2^63 for {}", tensor.name),
                           fmt::format("{}", static_cast<std::uint64_t>(tensor.view.shape[axis])));
    }
    where = reader.position();
    tensor.view.dtype =
        tensor_type(reader, where, tensor.name, reader.number<std::uint32_t>("a tensor's type"));
    where = reader.position();
    const auto offset = reader.number<std::uint64_t>("an offset");
    if (offset % alignment != 0)
      throw reader.wrong(where,
                         fmt::format("an offset aligned to {} for {}", alignment, tensor.name),
                         fmt::format("{}", offset));
    const std::optional<std::uint64_t> bytes = byte_count(tensor.view.shape, tensor.view.dtype);
    if (!bytes)
      throw reader.wrong(where,
                         fmt::format("whole blocks of {} that 63 bits can count for {}",
                                     name_of(tensor.view.dtype), tensor.name),
                         to_string(tensor.view.shape));
    std::uint64_t end = 0;
    if (__builtin_add_overflow(offset, *bytes, &end) || end > file.bytes().size())
      throw reader.wrong(
          where,
          fmt::format("an offset inside the file for the {} bytes of {}", *bytes, tensor.name),
          fmt::format("{}", offset));
    if (*bytes > 0) ranges.push_back({offset, end, tensor.name});
    // Where the data begin is known only after the last tensor.
    tensor.view.data = file.bytes().data() + offset;
    tensors.push_back(std::move(tensor));
  }
  check_overlaps(file.path(), ranges);

  std::uint64_t begin = 0;
  if (__builtin_add_overflow(reader.position(), alignment - 1, &begin))
    throw reader.wrong(reader.position(), "an alignment within the file",
                       fmt::format("{}", alignment));
  begin -= begin % alignment;
  if (!ranges.empty() &&
      ranges.back().end > file.bytes().size() - std::min<std::uint64_t>(begin, file.bytes().size()))
    throw Error::at(file.path(), ranges.back().name,
                    fmt::format("{} bytes of data from byte {}", ranges.back().end, begin),
                    fmt::format("a file of {} bytes", file.bytes().size()));
  for (NamedTensor& tensor : tensors)
    tensor.view.data = byte_count(tensor.view.shape, tensor.view.dtype) == 0
                           ? file.bytes().data()
                           : tensor.view.data + begin;
  if (const std::optional<std::string_view> twice = sort_by_name(&tensors))
    throw Error::at(file.path(), *twice, "each tensor once", "it twice");
}

GgufFile GgufFile::open(const std::string& path) {
  auto state = std::make_shared<State>(MappedFile::open(path));
  ByteReader reader(state->file.bytes(), state->file.path());
  const std::string_view magic = reader.text(kMagic.size(), "the letters GGUF");
  if (magic != kMagic) throw reader.wrong(0, "the letters GGUF", fmt::format("\"{}\"", magic));
  state->version = reader.number<std::uint32_t>("a version");
  if (state->version != 2 && state->version != 3)
    throw reader.wrong(4, "version 2 or 3, little-endian",
                       (state->version & 0xffff) == 0 && state->version != 0
                           ? "a big-endian file"
                           : fmt::format("version {}", state->version));
  const auto tensors = reader.number<std::uint64_t>("a number of tensors");
  const auto values = reader.number<std::uint64_t>("a number of values");
  if (tensors > reader.remaining() / kLeastTensor)
    throw reader.wrong(8, fmt::format("at most {} tensors", reader.remaining() / kLeastTensor),
                       fmt::format("{}", tensors));
  if (values > reader.remaining() / kLeastValue)
    throw reader.wrong(16, fmt::format("at most {} values", reader.remaining() / kLeastValue),
                       fmt::format("{}", values));
  state->read_metadata(reader, values);
  state->read_alignment();
  state->read_tensors(reader, tensors);
  return GgufFile(std::move(state));
}

const std::string& GgufFile::path() const { return state_->file.path(); }
std::uint64_t GgufFile::bytes() const { return state_->file.bytes().size(); }
std::uint32_t GgufFile::version() const { return state_->version; }
std::span<const GgufValue> GgufFile::metadata() const { return state_->metadata; }
std::span<const NamedTensor> GgufFile::tensors() const { return state_->tensors; }

std::optional<GgufValue> GgufFile::find(std::string_view key) const {
  const auto found = std::lower_bound(
      state_->metadata.begin(), state_->metadata.end(), key,
      [](const GgufValue& value, std::string_view wanted) { return value.key() < wanted; });
  if (found == state_->metadata.end() || found->key() != key) return std::nullopt;
  return *found;
}

GgufValue GgufFile::at(std::string_view key) const {
  if (const std::optional<GgufValue> value = find(key)) return *value;
  throw Error::at(path(), shortened(key), "this key in the metadata", "no such key");
}

}  // namespace regard
