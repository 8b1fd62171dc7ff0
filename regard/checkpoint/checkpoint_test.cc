// SPDX-License-Identifier: Apache-2.0
// Safetensors files, good and bad, and folders of them.
#include "regard/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string corpus(const std::string& name) {
  return std::string(REGARD_SOURCE_DIR) + "/fuzz/corpus/safetensors/" + name;
}

std::string open_error(const std::string& name) {
  return error_of([&] { SafetensorsFile::open(corpus(name)); });
}

class CheckpointFolder : public ::testing::Test {
 protected:
  std::string in(const char* name) const { return (folder_ / name).string(); }
  // A file with one float tensor [2] of this name.
  void shard(const char* file, const char* tensor) const {
    write_safetensors(in(file),
                      {{tensor, {DType::kF32, {2}, reinterpret_cast<const std::byte*>(two_)}}}, {});
  }
  void index(const std::string& weight_map) const {
    std::ofstream(in("model.safetensors.index.json")) << "{\"weight_map\": " << weight_map << "}";
  }
  std::string error() const {
    return error_of([&] { Checkpoint::open(folder_.string()); });
  }
  static constexpr float two_[2] = {1.0f, 2.0f};
  TemporaryFolder own_;
  const fs::path folder_ = own_.path();
};

TEST(Safetensors, OfTheCorpusOpenWhenGoodAndAreRefusedWhenBad) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(corpus(""))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(open_error(name) == "no error", name.starts_with("good_"))
        << name << ": " << open_error(name);
    ++files;
  }
  EXPECT_GE(files, 29u);
}

TEST(Safetensors, ErrorsSayTheFileThePlaceAndBothSides) {
  EXPECT_THAT(open_error("bad_length_2_63"),
              AllOf(HasSubstr("bad_length_2_63: byte 0: "), HasSubstr("9223372036854775808")));
  EXPECT_THAT(open_error("bad_truncated_header"), HasSubstr("a header of 1000 bytes"));
  EXPECT_THAT(open_error("bad_leading_space"), HasSubstr("byte 8: expected a header starting"));
  EXPECT_THAT(open_error("bad_dtype"),
              AllOf(HasSubstr("a.dtype"), HasSubstr("F64, F32, F16, BF16"), HasSubstr("\"F31\"")));
  EXPECT_THAT(open_error("bad_negative_axis"), AllOf(HasSubstr("a.shape[0]"), HasSubstr("-1")));
  EXPECT_THAT(open_error("bad_overflowing_shape"), HasSubstr("a.shape"));
  EXPECT_THAT(open_error("bad_offsets_and_shape"), HasSubstr("8 bytes for F32 [2]"));
  EXPECT_THAT(open_error("bad_hole"), HasSubstr("b: expected data from offset 4, found a hole"));
  EXPECT_THAT(open_error("bad_overlap"), HasSubstr("an overlap"));
  EXPECT_THAT(open_error("bad_trailing"), HasSubstr("1 bytes that no tensor has"));
  EXPECT_THAT(open_error("bad_duplicate"), HasSubstr("each key once"));
  EXPECT_THAT(open_error("bad_metadata"), HasSubstr("__metadata__.k: expected a string, found 1"));
}

TEST_F(CheckpointFolder, WritesTensorsAlignedAndReadsThemBack) {
  const std::uint8_t bytes[3] = {7, 8, 9};
  const std::vector<SafetensorsEntry> entries = {
      {"b", {DType::kU8, {3}, reinterpret_cast<const std::byte*>(bytes)}},
      {"none", {DType::kF32, {0, 4}, nullptr}},
      {"a\n", {DType::kF32, {1, 2}, reinterpret_cast<const std::byte*>(two_)}}};
  const std::map<std::string, std::string> metadata = {{"k", "v\"\n"}};
  write_safetensors(in("t"), entries, metadata);
  EXPECT_EQ(fs::file_size(in("t")), safetensors_size(entries, metadata));
  const SafetensorsFile file = SafetensorsFile::open(in("t"));
  EXPECT_EQ(file.metadata().at("k"), "v\"\n");
  const TensorView view = file.at("a\n", DType::kF32, Shape{-1, 2});
  EXPECT_EQ((view.data - file.file().bytes().data()) % 64, 0);
  EXPECT_THAT(view.f32(), ElementsAre(1.0f, 2.0f));
  EXPECT_EQ(std::to_integer<int>(file.find("b")->data[2]), 9);
  EXPECT_THROW(file.at("a\n", DType::kF32, Shape{2}), Error);
  EXPECT_THROW(file.at("a\n", DType::kF64, Shape{1, 2}), Error);
  EXPECT_THROW(write_safetensors(in("t"), {entries[0], entries[0]}, {}), Error);
}

TEST_F(CheckpointFolder, WithOneFileOpensAsFolderAndAsFile) {
  shard("model.safetensors", "w");
  for (const std::string& path : {folder_.string(), in("model.safetensors")}) {
    const Checkpoint checkpoint = Checkpoint::open(path);
    EXPECT_THAT(checkpoint.names(), ElementsAre("w"));
    EXPECT_EQ(checkpoint.at("w", Shape{-1}).f32()[1], 2.0f);
    EXPECT_THAT(error_of([&] { checkpoint.at("w", Shape{3}); }),
                AllOf(HasSubstr("w: "), HasSubstr("[3]"), HasSubstr("[2]")));
    EXPECT_THROW(checkpoint.at("v", Shape{2}), Error);
  }
}

TEST_F(CheckpointFolder, OpensFromMemoryAsFromAFile) {
  shard("model.safetensors", "w");
  const MappedFile file = MappedFile::open(in("model.safetensors"));
  const std::vector<std::byte> bytes(file.bytes().begin(), file.bytes().end());
  const auto carried = SafetensorsFile::read(MappedFile::of_memory("carried", bytes));
  EXPECT_EQ(carried.at("w", DType::kF32, Shape{2}).f32()[1], 2.0f);
  EXPECT_EQ(carried.bytes(), bytes.size());
  const auto begin = std::span(bytes).first(9);
  EXPECT_THAT(error_of([&] { SafetensorsFile::read(MappedFile::of_memory("cut short", begin)); }),
              HasSubstr("cut short"));
}

TEST_F(CheckpointFolder, FollowsLinksAsInTheHubCache) {
  shard("blob", "w");
  fs::create_symlink("blob", in("model.safetensors"));
  EXPECT_THAT(Checkpoint::open(folder_.string()).names(), ElementsAre("w"));
}

TEST_F(CheckpointFolder, WithShardsJoinsThem) {
  shard("1.safetensors", "a");
  shard("2.safetensors", "b");
  index(R"({"a": "1.safetensors", "b": "2.safetensors"})");
  const Checkpoint checkpoint = Checkpoint::open(folder_.string());
  EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b"));
  EXPECT_EQ(checkpoint.file_of("b"), in("2.safetensors"));
  EXPECT_EQ(checkpoint.bytes(), fs::file_size(in("1.safetensors")) * 2);
}

TEST_F(CheckpointFolder, WithABadIndexIsAnError) {
  shard("1.safetensors", "a");
  shard("2.safetensors", "a");
  index(R"({"a": "1.safetensors", "b": "3.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("3.safetensors"));
  index(R"({"a": "1.safetensors", "b": "1.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("b: "));
  index(R"({"a": "1.safetensors", "b": "2.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("each tensor in one shard"));
  for (const char* name : {"../1.safetensors", "/etc/passwd", "..", ""}) {
    index(std::string("{\"a\": \"") + name + "\"}");
    EXPECT_THAT(error(), HasSubstr("a file in the same folder")) << name;
  }
}

TEST_F(CheckpointFolder, ShowsBlocksAndScalesOfMxfp4AsOneTensorToo) {
  const std::byte bytes[64] = {};
  const TensorView blocks{DType::kU8, {2, 2, 16}, bytes}, scales{DType::kU8, {2, 2}, bytes};
  const TensorView other{DType::kU8, {4}, bytes};
  write_safetensors(in("model.safetensors"),
                    {{"w_blocks", blocks},
                     {"w_scales", scales},
                     {"v_blocks", blocks},
                     {"v_scales", other},
                     {"u_blocks", blocks}},
                    {});
  const Checkpoint checkpoint = Checkpoint::open(folder_.string());
  const TensorView joined = checkpoint.at("w", Shape{2, 64});
  EXPECT_EQ(joined.dtype, DType::kMXFP4Split);
  EXPECT_EQ(joined.data, checkpoint.find("w_blocks")->data);
  EXPECT_EQ(joined.scales, checkpoint.find("w_scales")->data);
  EXPECT_FALSE(checkpoint.find("v"));
  EXPECT_FALSE(checkpoint.find("u"));
}

TEST_F(CheckpointFolder, WithoutWeightsSaysWhatIsExpected) {
  EXPECT_THAT(error(), HasSubstr("expected model.safetensors, pytorch_model.bin"));
  std::ofstream(in("tf_model.h5")) << "x";
  EXPECT_THAT(error(), AllOf(HasSubstr("expected model.safetensors"), HasSubstr("tf_model.h5")));
  EXPECT_THROW(Checkpoint::open(in("missing")), Error);
}

}  // namespace
}  // namespace regard
