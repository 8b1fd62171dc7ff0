// SPDX-License-Identifier: Apache-2.0
// A trace survives its file bit for bit, and a file that lies is an error.
#include "regard/trace/trace.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <functional>

#include "regard/platform/error.h"

namespace regard {
namespace {

template <typename T>
TensorView view(DType dtype, const Shape& shape, const std::vector<T>& data) {
  return {dtype, shape, reinterpret_cast<const std::byte*>(data.data())};
}

// Two tokens, two heads on one key head, dimension 1, with round numbers.
struct Small {
  std::vector<float> query = {1, 2, 3, 4}, key = {0.5f, -0.5f}, value = {7, 8};
  std::vector<float> sum = {2, 2}, top = {1, 1};
  std::vector<double> lse = {0.25, 1e4, -3, 0};
  Trace trace;
  Small() {
    trace.model = "small \"quoted\"";
    trace.text = "né";
    trace.pair = "b";
    trace.notes = {"one note"};
    trace.tokens = {{5, "n\xc3\xa9", {0, 3}, 0, 0, false}, {6, "[SEP]", {0, 0}, -1, 1, true}};
    trace.key_valid = {1, 0};
    LayerTrace layer;
    layer.layer = 3;
    layer.head_ids = {1, 4};
    layer.kv_of = {0, 0};
    layer.queries = layer.keys = 2;
    layer.dim = layer.value_dim = 1;
    layer.score.scale = 0.125f;
    layer.block_edge = 64;
    layer.query = view(DType::kF32, {2, 2, 1}, query);
    layer.key = view(DType::kF32, {1, 2, 1}, key);
    layer.value = view(DType::kF32, {1, 2, 1}, value);
    layer.lse = view(DType::kF64, {2, 2}, lse);
    layer.overview_sum = view(DType::kF32, {2, 1, 1}, sum);
    layer.overview_max = view(DType::kF32, {2, 1, 1}, top);
    trace.layers[3] = layer;
  }
};

std::string scratch_path(const char* name) { return testing::TempDir() + "regard_trace_" + name; }

TEST(TraceFile, ComesBackAsItWas) {
  const Small small;
  const std::string path = scratch_path("whole.safetensors");
  write_trace(small.trace, path);
  EXPECT_EQ(SafetensorsFile::open(path).bytes(), trace_file_size(small.trace));
  const Trace back = read_trace(path);
  EXPECT_EQ(back.model, small.trace.model);
  EXPECT_EQ(back.text, "né");
  EXPECT_EQ(back.pair, "b");
  EXPECT_EQ(back.notes, small.trace.notes);
  EXPECT_EQ(back.key_valid, small.trace.key_valid);
  ASSERT_EQ(back.tokens.size(), 2u);
  EXPECT_EQ(back.tokens[0].text, "n\xc3\xa9");
  EXPECT_EQ(back.tokens[0].span, (Span{0, 3}));
  EXPECT_EQ(back.tokens[1].type, 1);
  EXPECT_TRUE(back.tokens[1].special);
  ASSERT_TRUE(back.has({3, 4}));
  const HeadView head = back.head({3, 4});
  EXPECT_EQ(head.query[1], 4.0f);
  EXPECT_EQ(head.key[1], -0.5f);
  EXPECT_EQ(head.lse[0], -3.0);
  EXPECT_EQ(head.score, small.trace.layers.at(3).score);
  EXPECT_EQ(back.values({3, 1})[1], 8.0f);
  std::remove(path.c_str());
}

TEST(TraceFile, DataIsAlignedTo64BytesInTheFile) {
  const Small small;
  const std::string path = scratch_path("aligned.safetensors");
  write_trace(small.trace, path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  const std::byte* start = file.file().bytes().data();
  for (const char* name : {"layers.3.query", "layers.3.key", "layers.3.lse", "tokens.id"})
    EXPECT_EQ((file.find(name)->data - start) % 64, 0) << name;
  std::remove(path.c_str());
}

// Writes the small trace with one thing wrong and returns the error that reading gives.
std::string error_after(const std::function<void(Small*)>& spoil) {
  Small small;
  spoil(&small);
  const std::string path = scratch_path("spoilt.safetensors");
  write_trace(small.trace, path);
  std::string message;
  try {
    read_trace(path);
  } catch (const Error& error) {
    message = error.what();
  }
  std::remove(path.c_str());
  return message;
}

TEST(TraceFile, ShapesThatLieAreErrorsThatNameThePlace) {
  const auto names = [](const std::string& message, const char* part) {
    return message.find(part) != std::string::npos;
  };
  EXPECT_TRUE(
      names(error_after([](Small* s) { s->trace.layers[3].lse.shape = {4, 1}; }), "layers.3.lse"));
  EXPECT_TRUE(
      names(error_after([](Small* s) { s->trace.layers[3].kv_of = {0, 1}; }), "layers.3.kv_of"));
  EXPECT_TRUE(
      names(error_after([](Small* s) { s->trace.layers[3].head_ids = {4, 1}; }), "layers.3.heads"));
  EXPECT_TRUE(
      names(error_after([](Small* s) { s->trace.tokens[0].span = {0, 99}; }), "tokens.span[0]"));
  EXPECT_TRUE(
      names(error_after([](Small* s) { s->trace.tokens[0].sequence = 2; }), "tokens.sequence[0]"));
  EXPECT_TRUE(names(error_after([](Small* s) { s->trace.layers[3].query.shape = {1, 4, 1}; }),
                    "layers.3.query"));
}

TEST(TraceFile, ANewerFormatIsRefused) {
  const std::string path = scratch_path("newer.safetensors");
  write_safetensors(path, {}, {{"regard.format", "2"}});
  try {
    read_trace(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("newer Regard"), std::string::npos) << error.what();
  }
  std::remove(path.c_str());
}

TEST(Heads, AreNamedByLayerAndHead) {
  EXPECT_EQ(head_named("L3H11"), (HeadId{3, 11}));
  for (const char* bad : {"", "L", "L3", "L3H", "3H1", "L3H1x", "L-1H2", "l3h1", "L99999999999H1"})
    EXPECT_FALSE(head_named(bad)) << bad;
}

}  // namespace
}  // namespace regard
