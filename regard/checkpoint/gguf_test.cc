// SPDX-License-Identifier: Apache-2.0
// GGUF files, good and hostile. The corpus is made by tools/make_fuzz_corpus.py.
#include "regard/checkpoint/gguf.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "regard/checkpoint/checkpoint.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string corpus(const std::string& name) {
  return std::string(REGARD_SOURCE_DIR) + "/fuzz/corpus/gguf/" + name;
}

template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string open_error(const std::string& name) {
  return error_of([&] { GgufFile::open(corpus(name)); });
}

// Writes GGUF files in memory, for what is too large or too many for the corpus.
class Writer {
 public:
  template <typename T>
  Writer& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(const std::string& value) {
    number(std::uint64_t{value.size()});
    bytes_ += value;
    return *this;
  }
  Writer& header(std::uint64_t tensors, std::uint64_t values) {
    bytes_ += "GGUF";
    return number(std::uint32_t{3}).number(tensors).number(values);
  }
  Writer& info(const std::string& name, std::uint64_t axis, std::uint64_t offset) {
    return text(name).number(std::uint32_t{1}).number(axis).number(std::uint32_t{0}).number(offset);
  }
  Writer& u16(const std::string& key, std::uint16_t value) {
    return text(key).number(std::uint32_t{2}).number(value);
  }
  Writer& align() {
    bytes_.append((32 - bytes_.size() % 32) % 32, '\0');
    return *this;
  }
  void save(const std::string& path) const { std::ofstream(path, std::ios::binary) << bytes_; }

 private:
  std::string bytes_;
};

class GgufFolder : public ::testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_ / name).string(); }
  // A file of a series with one float tensor [1].
  void shard(const std::string& file, int number, int count, const std::string& tensor,
             float value) const {
    Writer()
        .header(1, 2)
        .u16("split.no", static_cast<std::uint16_t>(number))
        .u16("split.count", static_cast<std::uint16_t>(count))
        .info(tensor, 1, 0)
        .align()
        .number(value)
        .save(in(file));
  }
  std::string error(const std::string& path) const {
    return error_of([&] { Checkpoint::open(path); });
  }
  TemporaryFolder own_;
  const fs::path folder_ = own_.path();
};

TEST(Gguf, FilesOfTheCorpusOpenWhenGoodAndAreRefusedWhenBad) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(corpus(""))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(open_error(name) == "no error", name.starts_with("good_"))
        << name << ": " << open_error(name);
    ++files;
  }
  EXPECT_GE(files, 66u);
}

TEST(Gguf, ErrorsSayTheFileThePlaceAndBothSides) {
  EXPECT_THAT(open_error("bad_magic"),
              AllOf(HasSubstr("bad_magic: byte 0: expected the letters GGUF"), HasSubstr("GGML")));
  EXPECT_THAT(open_error("bad_version_1"), HasSubstr("byte 4: expected version 2 or 3"));
  EXPECT_THAT(open_error("bad_big_endian"), HasSubstr("big-endian"));
  EXPECT_THAT(open_error("bad_tensor_count_all_ones"),
              AllOf(HasSubstr("byte 8: "), HasSubstr("found 18446744073709551615")));
  EXPECT_THAT(open_error("bad_key_twice"), HasSubstr("a: expected each key once"));
  EXPECT_THAT(open_error("bad_key_of_65536_bytes"), HasSubstr("found 65536 bytes"));
  EXPECT_THAT(open_error("bad_array_nested"), HasSubstr("found an array of arrays"));
  EXPECT_THAT(open_error("bad_array_of_too_many_strings"), HasSubstr("1152921504606846976 texts"));
  EXPECT_THAT(open_error("bad_alignment_0"),
              HasSubstr("general.alignment: expected a power of two as U32, found 0"));
  EXPECT_THAT(open_error("bad_alignment_24"), HasSubstr("found 24"));
  EXPECT_THAT(open_error("bad_name_of_64_bytes"),
              HasSubstr("a tensor's name of at most 63 bytes, found 64 bytes"));
  EXPECT_THAT(open_error("bad_name_twice"), HasSubstr("a: expected each tensor once"));
  EXPECT_THAT(open_error("bad_five_axes"), HasSubstr("at most 4 axes for a, found 5"));
  EXPECT_THAT(open_error("bad_shape_wraps_to_zero"), HasSubstr("[4294967296, 4294967296]"));
  EXPECT_THAT(open_error("bad_part_of_a_block"), HasSubstr("whole blocks of Q4_0"));
  EXPECT_THAT(open_error("bad_type_not_read"),
              AllOf(HasSubstr("F32, F16, Q4_0"), HasSubstr("IQ4_NL"), HasSubstr("found IQ2_XXS")));
  EXPECT_THAT(open_error("bad_type_removed"), HasSubstr("found type 4"));
  EXPECT_THAT(open_error("bad_offset_unaligned"), HasSubstr("an offset aligned to 32 for a"));
  EXPECT_THAT(open_error("bad_overlap"), HasSubstr("b: expected data behind a, found an overlap"));
  EXPECT_THAT(open_error("bad_data_cut"), HasSubstr("a: expected 4 bytes of data from byte 64"));
}

TEST(Gguf, ValuesOfEveryTypeAreReadAsTheirsAndAsNoOther) {
  const GgufFile file = GgufFile::open(corpus("good_every_value"));
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.at("u8").integer(), 200);
  EXPECT_EQ(file.at("i8").integer(), -100);
  EXPECT_EQ(file.at("u16").integer(), 60000);
  EXPECT_EQ(file.at("i16").integer(), -30000);
  EXPECT_EQ(file.at("u32").integer(), 4000000000);
  EXPECT_EQ(file.at("i32").integer(), -2000000000);
  EXPECT_EQ(file.at("i64").integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(file.at("f32").number(), 0.5);
  EXPECT_EQ(file.at("f64").number(), 0.1);
  EXPECT_EQ(file.at("u8").number(), 200.0);
  EXPECT_TRUE(file.at("bool").boolean());
  EXPECT_EQ(file.at("string").string(), "caf\xc3\xa9");
  EXPECT_THAT(file.at("strings").strings(), ElementsAre("a", "", "\xff"));
  EXPECT_THAT(file.at("floats").floats(), ElementsAre(1.0f, -2.5f));
  EXPECT_THAT(file.at("ints").integers(), ElementsAre(7, -7));
  EXPECT_THAT(file.at("bools").integers(), ElementsAre(1, 0));
  EXPECT_THAT(file.at("none").floats(), IsEmpty());
  EXPECT_THAT(file.at("none").strings(), IsEmpty());
  EXPECT_EQ(file.at("strings").size(), 3u);
  EXPECT_EQ(file.metadata().front().key(), "bool");

  EXPECT_THAT(error_of([&] { file.at("u64").integer(); }),
              HasSubstr("u64: expected an integer below 2^63, found 18446744073709551615"));
  EXPECT_THAT(error_of([&] { file.at("scores").floats(); }),
              HasSubstr("scores: expected an array of F32 or F64, found an array of 2 elements of "
                        "type U8"));
  EXPECT_THAT(error_of([&] { file.at("f32").integer(); }), HasSubstr("an integer, found 0.5"));
  EXPECT_THAT(error_of([&] { file.at("string").number(); }), HasSubstr("a number"));
  EXPECT_THAT(error_of([&] { file.at("u8").boolean(); }), HasSubstr("a boolean, found 200"));
  EXPECT_THAT(error_of([&] { file.at("bool").integer(); }), HasSubstr("found true"));
  EXPECT_THAT(error_of([&] { file.at("u8").string(); }), HasSubstr("a string, found 200"));
  EXPECT_THAT(error_of([&] { file.at("floats").integers(); }), HasSubstr("an array of integers"));
  EXPECT_THAT(error_of([&] { file.at("ints").strings(); }), HasSubstr("an array of strings"));
  EXPECT_THAT(error_of([&] { file.at("u8").integers(); }), HasSubstr("an array of integers"));
  EXPECT_THAT(error_of([&] { file.at("missing"); }), HasSubstr("missing: expected this key"));
}

TEST(Gguf, ShapesAreRowMajor) {
  const GgufFile file = GgufFile::open(corpus("good_axes"));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_THAT(file.tensors()[0].view.shape, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(file.tensors()[1].view.shape, ElementsAre(0));
  EXPECT_THAT(file.tensors()[2].view.shape, IsEmpty());
  EXPECT_EQ(file.tensors()[2].view.data - file.tensors()[0].view.data, 96);
}

TEST_F(GgufFolder, WithTensorsWithoutNumberOpens) {
  constexpr std::uint64_t kCount = 200'000;
  Writer writer;
  writer.header(kCount, 0);
  for (std::uint64_t i = 0; i < kCount; ++i)
    writer.info(std::to_string(i * 7919 % kCount), i % 2, i / 2 * 32);
  writer.align();
  for (std::uint64_t i = 0; i < kCount / 2 * 32 / 8; ++i) writer.number(std::uint64_t{0});
  writer.save(in("many.gguf"));
  const Checkpoint checkpoint = Checkpoint::open(in("many.gguf"));
  EXPECT_EQ(checkpoint.names().size(), kCount);
  EXPECT_THAT(checkpoint.at("7919", Shape{1}).shape, ElementsAre(1));
  EXPECT_FALSE(checkpoint.find("x"));
}

TEST_F(GgufFolder, WithOneFileOpensAsFolderAndAsFileWhateverItsName) {
  fs::copy_file(corpus("good_every_value"), in("m.gguf"));
  const Checkpoint folder = Checkpoint::open(folder_.string());
  EXPECT_THAT(folder.names(), ElementsAre("a"));
  ASSERT_NE(folder.gguf(), nullptr);
  EXPECT_EQ(folder.gguf()->at("string").string(), "caf\xc3\xa9");
  EXPECT_EQ(folder.bytes(), fs::file_size(in("m.gguf")));
  EXPECT_EQ(folder.file_of("a"), in("m.gguf"));
  fs::rename(in("m.gguf"), in("blob"));
  EXPECT_NE(Checkpoint::open(in("blob")).gguf(), nullptr);
}

TEST_F(GgufFolder, WithSeveralModelsAsksForAFile) {
  shard("a.gguf", 0, 1, "t", 1.0f);
  shard("b.gguf", 0, 1, "t", 1.0f);
  EXPECT_THAT(error(folder_.string()),
              AllOf(HasSubstr("one .gguf file, or the name"), HasSubstr("a.gguf, b.gguf")));
  EXPECT_EQ(error(in("b.gguf")), "no error");
}

TEST_F(GgufFolder, OfASeriesOpensFromAnyOfItsFiles) {
  shard("m-00001-of-00002.gguf", 0, 2, "b", 1.0f);
  shard("m-00002-of-00002.gguf", 1, 2, "a", 2.0f);
  for (const std::string& path :
       {folder_.string(), in("m-00001-of-00002.gguf"), in("m-00002-of-00002.gguf")}) {
    const Checkpoint checkpoint = Checkpoint::open(path);
    EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b"));
    float value = 0;
    std::memcpy(&value, checkpoint.at("a", Shape{1}).data, sizeof value);
    EXPECT_EQ(value, 2.0f);
    EXPECT_EQ(checkpoint.gguf()->at("split.no").integer(), 0);
    EXPECT_EQ(checkpoint.file_of("a"), in("m-00002-of-00002.gguf"));
  }
}

TEST_F(GgufFolder, OfABrokenSeriesIsAnError) {
  shard("m-00001-of-00002.gguf", 0, 2, "a", 1.0f);
  EXPECT_THAT(error(folder_.string()), HasSubstr("m-00002-of-00002.gguf"));
  shard("m-00002-of-00002.gguf", 1, 2, "a", 1.0f);
  EXPECT_THAT(error(folder_.string()), HasSubstr("a: expected each tensor in one shard"));
  shard("m-00002-of-00002.gguf", 0, 2, "b", 1.0f);
  EXPECT_THAT(error(folder_.string()), HasSubstr("split.no: expected 1, found 0"));
  shard("m-00002-of-00002.gguf", 1, 3, "b", 1.0f);
  EXPECT_THAT(error(in("m-00001-of-00002.gguf")), HasSubstr("split.count: expected 2, found 3"));
  fs::rename(in("m-00001-of-00002.gguf"), in("x.gguf"));
  EXPECT_THAT(error(in("x.gguf")), HasSubstr("-0000N-of-00002.gguf"));
}

}  // namespace
}  // namespace regard
