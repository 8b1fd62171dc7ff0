// SPDX-License-Identifier: Apache-2.0
// Files of torch.save (tests/golden/weights, made by tools/make_weights_golden.py) and hostile ones
// (fuzz/corpus/pickle, made by tools/make_fuzz_corpus.py).
#include "regard/checkpoint/torch_file.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "regard/checkpoint/checkpoint.h"
#include "regard/checkpoint/pickle.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kSource = REGARD_SOURCE_DIR;

std::string golden(const std::string& name) { return kSource + "/tests/golden/weights/" + name; }
std::string corpus(const std::string& name) { return kSource + "/fuzz/corpus/pickle/" + name; }

template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string corpus_error(const std::string& name) {
  return error_of([&] {
    const MappedFile file = MappedFile::open(corpus(name));
    if (name.find("_pickle") != name.npos)
      read_pickled_tensors(file.bytes(), name);
    else
      TorchFile::open(corpus(name));
  });
}

std::string bytes_of(const TensorView& view) {
  return {reinterpret_cast<const char*>(view.data), *byte_count(view.shape, view.dtype)};
}

TEST(TorchFile, HasEveryTensorThatTorchSaved) {
  const Checkpoint file = Checkpoint::open(golden("torch.bin"));
  const Checkpoint expected = Checkpoint::open(golden("torch.safetensors"));
  EXPECT_EQ(file.names(), expected.names());
  EXPECT_GE(file.names().size(), 17u);
  for (const std::string& name : expected.names()) {
    const TensorView want = *expected.find(name);
    const TensorView view = file.at(name, want.shape);
    EXPECT_EQ(view.dtype, want.dtype) << name;
    EXPECT_EQ(bytes_of(view), bytes_of(want)) << name;
  }
}

TEST(TorchFile, KeepsDataInTheMapUnlessTheyMustBeReordered) {
  const TorchFile file = TorchFile::open(golden("torch.bin"));
  const auto data = [&](std::string_view name) {
    for (const NamedTensor& tensor : file.tensors())
      if (tensor.name == name) return tensor.view.data;
    return static_cast<const std::byte*>(nullptr);
  };
  EXPECT_EQ(data("parameter"), data("f32") + 6 * 4);
  EXPECT_EQ(data("one_row"), data("f32") + 12 * 4);
}

TEST(TorchFile, OfANewerPickleProtocolOpens) {
  const Checkpoint file = Checkpoint::open(golden("torch_protocol_4.bin"));
  std::vector<float> values(2);
  convert_to_f32(file.at("a", Shape{2}), values);
  EXPECT_THAT(values, ElementsAre(1.0f, 2.0f));
}

TEST(TorchFile, OfOtherKindsIsRefusedByName) {
  EXPECT_THAT(error_of([] { Checkpoint::open(golden("torch_old.bin")); }),
              AllOf(HasSubstr("since PyTorch 1.6"), HasSubstr("the older format")));
  EXPECT_THAT(error_of([] { Checkpoint::open(golden("torch_script.bin")); }),
              HasSubstr("TorchScript"));
}

TEST(TorchFile, OfTheCorpusOpensWhenGoodAndIsRefusedWhenBad) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(corpus(""))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(corpus_error(name) == "no error", name.starts_with("good_"))
        << name << ": " << corpus_error(name);
    ++files;
  }
  EXPECT_GE(files, 75u);
}

TEST(TorchFile, SaysWhatItRefuses) {
  EXPECT_THAT(corpus_error("bad_pickle_imports_system"),
              AllOf(HasSubstr("byte 2: "), HasSubstr("found os.system")));
  EXPECT_THAT(corpus_error("bad_pickle_imports_by_stack"), HasSubstr("found os.system"));
  EXPECT_THAT(corpus_error("bad_pickle_imports_unused"), HasSubstr("found posix.system"));
  EXPECT_THAT(corpus_error("bad_pickle_storage_of_quantised"),
              HasSubstr("found torch.QInt8Storage"));
  EXPECT_THAT(corpus_error("bad_pickle_inst"), HasSubstr("found INST"));
  EXPECT_THAT(corpus_error("bad_pickle_newobj"), HasSubstr("found NEWOBJ (0x81)"));
  EXPECT_THAT(corpus_error("bad_pickle_opcode"), HasSubstr("found 0xff"));
  EXPECT_THAT(corpus_error("bad_pickle_not_a_tensor"),
              HasSubstr("a tensor as a, found an integer"));
  EXPECT_THAT(corpus_error("bad_pickle_name_twice"), HasSubstr("a twice"));
  EXPECT_THAT(corpus_error("bad_pickle_pops_below_a_mark"), HasSubstr("a value on the stack"));
  EXPECT_THAT(corpus_error("bad_archive_compressed"),
              HasSubstr("an entry stored as it is, found compression method 8"));
  EXPECT_THAT(corpus_error("bad_archive_entry_encrypted"), HasSubstr("an encrypted entry"));
  EXPECT_THAT(corpus_error("bad_archive_big_endian"), HasSubstr("byteorder: expected"));
  EXPECT_THAT(corpus_error("bad_archive_storage_missing"),
              HasSubstr("a: expected the entry data/1"));
  EXPECT_THAT(corpus_error("bad_archive_storage_short"),
              HasSubstr("a storage of 2 elements of F32, found 7 bytes"));
  EXPECT_THAT(corpus_error("bad_archive_offset_beyond"),
              HasSubstr("shape [2], strides [1], offset 1"));
  EXPECT_THAT(corpus_error("bad_archive_expanded"), HasSubstr("elements of its own"));
}

class TorchFolder : public ::testing::Test {
 protected:
  void add(const std::string& source, const std::string& name) const {
    fs::copy_file(source, folder_ / name, fs::copy_options::overwrite_existing);
  }
  TemporaryFolder own_;
  const fs::path folder_ = own_.path();
};

TEST_F(TorchFolder, OpensAsOneFileAndAsShards) {
  add(golden("torch.bin"), "pytorch_model.bin");
  EXPECT_EQ(Checkpoint::open(folder_.string()).names().size(), 17u);
  fs::rename(folder_ / "pytorch_model.bin", folder_ / "pytorch_model-00001-of-00002.bin");
  add(golden("torch_protocol_4.bin"), "pytorch_model-00002-of-00002.bin");
  std::ofstream(folder_ / "pytorch_model.bin.index.json")
      << R"({"weight_map": {"f32": "pytorch_model-00001-of-00002.bin",
                            "a": "pytorch_model-00002-of-00002.bin"}})";
  const Checkpoint shards = Checkpoint::open(folder_.string());
  EXPECT_EQ(shards.names().size(), 18u);
  EXPECT_THAT(shards.file_of("a"), HasSubstr("00002-of-00002"));
}

TEST_F(TorchFolder, PrefersSafetensors) {
  add(golden("torch_protocol_4.bin"), "pytorch_model.bin");
  add(golden("torch.safetensors"), "model.safetensors");
  EXPECT_EQ(Checkpoint::open(folder_.string()).names().size(), 17u);
}

}  // namespace
}  // namespace regard
