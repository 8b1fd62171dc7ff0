// SPDX-License-Identifier: Apache-2.0
// A trace survives its file bit for bit, and a file that lies is an error.
#include "regard/trace/trace.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

#include "regard/platform/error.h"
#include "regard/trace/trace_writer.h"

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
    trace.generated = 1;
    trace.preferred = {{0, 1}, {1, 0}};
    trace.preferred_why = "so its makers \"say\"";
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

// Every array that a score may take.
struct Terms : Small {
  std::vector<float> slopes = {0.5f, 0.25f}, sinks = {3, 4}, bias = {1, 2, 3, 4, 5, 6},
                     query_relative = {1, 2, 3, 4, 5, 6, 7, 8},
                     key_relative = {8, 7, 6, 5, 4, 3, 2, 1};
  std::vector<std::int32_t> slot = {0, 1, 1};
  std::vector<std::uint8_t> blocks = {1};
  Terms() {
    LayerTrace& layer = trace.layers[3];
    layer.score.alibi = Alibi::kDistance;
    layer.alibi_slopes = view(DType::kF32, {2}, slopes);
    layer.sinks = view(DType::kF32, {2}, sinks);
    layer.bias = view(DType::kF32, {2, 3}, bias);
    layer.query_relative = view(DType::kF32, {2, 2, 2}, query_relative);
    layer.key_relative = view(DType::kF32, {2, 2, 2}, key_relative);
    layer.relative_slot = view(DType::kI32, {3}, slot);
    layer.blocks = view(DType::kU8, {1, 1}, blocks);
  }
};

// Cross-attention: two rows attend to three columns of another text.
struct Cross {
  std::vector<float> query = {1, 2}, key = {0.5f, -0.5f, 4}, value = {7, 8, 9};
  std::vector<float> sum = {2}, top = {1};
  std::vector<double> lse = {0.25, 1e4};
  Trace trace;
  Cross() {
    trace.model = "two stacks";
    trace.kind = AttentionKind::kCross;
    trace.text = "le chat";
    trace.tokens = {{1, "le", {0, 2}, 0, 0, false}, {2, "chat", {3, 7}, 0, 0, false}};
    TokenSide& keys = trace.keys_side.emplace();
    keys.text = "the c";
    keys.pair = "at";
    keys.tokens = {{3, "the", {0, 3}, 0, 0, false},
                   {4, "at", {0, 2}, 1, 1, false},
                   {5, "</s>", {0, 0}, -1, 1, true}};
    keys.key_valid = {1, 1, 0};
    LayerTrace layer;
    layer.head_ids = {0};
    layer.kv_of = {0};
    layer.queries = 2;
    layer.keys = 3;
    layer.dim = layer.value_dim = 1;
    layer.block_edge = 64;
    layer.query = view(DType::kF32, {1, 2, 1}, query);
    layer.key = view(DType::kF32, {1, 3, 1}, key);
    layer.value = view(DType::kF32, {1, 3, 1}, value);
    layer.lse = view(DType::kF64, {1, 2}, lse);
    layer.overview_sum = view(DType::kF32, {1, 1, 1}, sum);
    layer.overview_max = view(DType::kF32, {1, 1, 1}, top);
    trace.layers[0] = layer;
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
  EXPECT_EQ(back.kind, AttentionKind::kSelf);
  EXPECT_FALSE(back.keys_side);
  EXPECT_EQ(SafetensorsFile::open(path).metadata().at("regard.format"), "1");
  EXPECT_EQ(back.notes, small.trace.notes);
  EXPECT_EQ(back.generated, 1);
  EXPECT_EQ(back.preferred, small.trace.preferred);
  EXPECT_EQ(back.preferred_why, small.trace.preferred_why);
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

TEST(TraceFile, KeepsHalvesInTwoBytesAndOtherNumbersInFour) {
  Small small;
  // The largest half, the least ones of either kind, and zeros of both signs.
  small.query = {65504, 0x1p-24f, -0x1p-14f, -0.0f};
  small.value = {1.0f, 1.0f + 0x1p-11f};  // the second is no half
  const std::string path = scratch_path("half.safetensors");
  write_trace(small.trace, path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  EXPECT_EQ(file.find("layers.3.query")->dtype, DType::kF16);
  EXPECT_EQ(file.find("layers.3.value")->dtype, DType::kF32);
  std::uint16_t bits[4];
  std::memcpy(bits, file.find("layers.3.query")->data, sizeof bits);
  EXPECT_EQ(bits[0], 0x7bff);
  EXPECT_EQ(bits[1], 0x0001);
  EXPECT_EQ(bits[2], 0x8400);
  EXPECT_EQ(bits[3], 0x8000);
  const Trace back = read_trace(path);
  EXPECT_EQ(std::memcmp(back.layers.at(3).query.data, small.query.data(), 16), 0);
  EXPECT_EQ(back.values({3, 1})[1], small.value[1]);
  std::remove(path.c_str());
}

// The terms of the second head, L3H4, of Terms.
void expect_terms(const Trace& trace) {
  const ScoreTerms terms = trace.head({3, 4}).terms;
  EXPECT_EQ(*terms.slopes, 0.25f);
  EXPECT_EQ(*terms.sinks, 4.0f);
  EXPECT_EQ(terms.bias[2], 6.0f);
  EXPECT_EQ(terms.bias_reach, 1);
  EXPECT_EQ(terms.query_relative[0], 5.0f);
  EXPECT_EQ(terms.key_relative[3], 1.0f);
  EXPECT_EQ(terms.slots, 2);
  EXPECT_EQ(terms.slot_reach, 1);
  EXPECT_EQ(terms.slot[1], 1);
  EXPECT_EQ(*terms.blocks, 1);
}

TEST(TraceFile, CarriesEveryArrayOfAScore) {
  const Terms all;
  expect_terms(all.trace);
  const std::string path = scratch_path("terms.safetensors");
  write_trace(all.trace, path);
  expect_terms(read_trace(path));
  std::remove(path.c_str());
}

TEST(Trace, KeepsTheRowsOfTheHeadsThatAreKept) {
  Terms all;
  keep_heads(&all.trace, {{3, 4}});
  ASSERT_EQ(all.trace.heads(), (std::vector<HeadId>{{3, 4}}));
  const HeadView head = all.trace.head({3, 4});
  EXPECT_EQ(head.query[1], 4.0f);
  EXPECT_EQ(head.lse[0], -3.0);
  expect_terms(all.trace);
  EXPECT_THROW(keep_heads(&all.trace, {{3, 1}}), Error);
}

TEST(TraceFile, KeepsTheTokensOfColumnsThatAreNotTheRows) {
  const Cross cross;
  const std::string path = scratch_path("cross.safetensors");
  Trace none = cross.trace;
  none.layers.clear();
  {
    TraceWriter writer(path, none, 1, 0);
    writer.add(cross.trace.layers.at(0));
    writer.commit();
  }
  const Trace back = read_trace(path);
  EXPECT_EQ(back.kind, AttentionKind::kCross);
  EXPECT_EQ(back.text, "le chat");
  EXPECT_EQ(back.tokens.size(), 2u);
  EXPECT_TRUE(back.key_valid.empty());
  ASSERT_TRUE(back.keys_side);
  EXPECT_EQ(back.columns().text, "the c");
  EXPECT_EQ(back.columns().pair, "at");
  EXPECT_EQ(back.columns().key_valid, (std::vector<std::uint8_t>{1, 1, 0}));
  ASSERT_EQ(back.columns().tokens.size(), 3u);
  EXPECT_EQ(back.columns().tokens[1].text, "at");
  EXPECT_EQ(back.columns().tokens[1].sequence, 1);
  EXPECT_TRUE(back.columns().tokens[2].special);
  const AttentionMap map = back.map({0, 0});
  EXPECT_EQ(map.rows(), 2);
  EXPECT_EQ(map.columns(), 3);
  // exp(1 * -0.5 - 0.25), and nothing for the padding.
  EXPECT_NEAR(map.cell(0, 1), 0.47236655, 1e-7);
  EXPECT_EQ(map.cell(0, 2), 0.0f);
  // A reader of format 1 alone must not take it for a square map.
  EXPECT_EQ(SafetensorsFile::open(path).metadata().at("regard.format"), "2");
  std::remove(path.c_str());
}

// Layer 3 of `small` and, after it, the same as layer 5.
Trace two_layers(const Small& small) {
  Trace trace = small.trace;
  trace.layers[5] = trace.layers[3];
  trace.layers[5].layer = 5;
  return trace;
}

TEST(TraceWriter, LayerByLayerGivesWhatWritingAtOnceGives) {
  const Terms all;
  const Trace two = two_layers(all);
  Trace none = two;
  none.layers.clear();
  const std::string path = scratch_path("stream.safetensors");
  {
    TraceWriter writer(path, none, 2, 1000);
    writer.add(two.layers.at(3));
    writer.add(two.layers.at(5));
    EXPECT_THROW(writer.add(two.layers.at(5)), Error);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.commit();
  }
  const std::string once = scratch_path("once.safetensors");
  write_trace(two, once);
  const SafetensorsFile a = SafetensorsFile::open(path), b = SafetensorsFile::open(once);
  EXPECT_EQ(a.metadata(), b.metadata());
  for (const auto& [name, tensor] : b.tensors()) {
    if (name.starts_with("padding.")) continue;
    const auto same = a.find(name);
    ASSERT_TRUE(same) << name;
    EXPECT_EQ(same->shape, tensor.shape) << name;
    EXPECT_EQ(std::memcmp(same->data, tensor.data,
                          static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype)),
              0)
        << name;
    EXPECT_EQ((same->data - a.file().bytes().data()) % 64, 0) << name;
  }
  expect_terms(read_trace(path));
  std::remove(path.c_str());
  std::remove(once.c_str());
}

TEST(TraceWriter, WhatWasNotCommittedIsNoTraceAndLeavesTheOldFile) {
  const Small small;
  Trace none = small.trace;
  none.layers.clear();
  const std::string path = scratch_path("old.safetensors");
  write_trace(small.trace, path);
  {
    TraceWriter writer(path, none, 1, 0);
    writer.add(small.trace.layers.at(3));
    // What a killed run would leave.
    bool seen = false;
    for (const auto& entry : std::filesystem::directory_iterator(testing::TempDir()))
      if (entry.path().string().starts_with(path + ".tmp-")) {
        seen = true;
        EXPECT_THROW(read_trace(entry.path().string()), Error);
      }
    EXPECT_TRUE(seen);
  }
  EXPECT_TRUE(read_trace(path).has({3, 1}));
  std::remove(path.c_str());
  EXPECT_THROW(TraceWriter("/nowhere/t.safetensors", none, 1, 0), Error);
  EXPECT_THROW(TraceWriter("/dev/full", none, 1, 0), Error);
}

TEST(TraceWriter, HasRoomForTheHeaderOfManyLayersWithEveryArray) {
  const Terms all;
  Trace none = all.trace;
  none.layers.clear();
  const std::string path = scratch_path("many.safetensors");
  TraceWriter writer(path, none, 300, 0);
  for (int l = 0; l < 300; ++l) {
    LayerTrace layer = all.trace.layers.at(3);
    layer.layer = 100000 + l;
    writer.add(layer);
  }
  writer.commit();
  EXPECT_EQ(read_trace(path).layers.size(), 300u);
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

// fuzz/corpus/trace: made by tools/make_fuzz_corpus.py, each with one lie.
TEST(TraceFile, EveryFileOfTheCorpusIsReadOrRefusedAsItsNameSays) {
  int good = 0, bad = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(REGARD_SOURCE_DIR "/fuzz/corpus/trace")) {
    const std::string path = entry.path().string(), name = entry.path().filename().string();
    std::string message;
    try {
      const Trace trace = read_trace(path);
      for (const HeadId id : trace.heads()) {
        const AttentionMap map = trace.map(id);
        const Region whole{0, map.rows(), 0, map.columns()};
        for (const std::int64_t size : {1, 512}) map.tile(whole, size, Pool::kMean);
      }
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_EQ(message.empty(), name.starts_with("good_")) << name << ": " << message;
    if (message.empty()) {
      ++good;
      continue;
    }
    ++bad;
    EXPECT_EQ(message.find(path), 0u) << "the error must begin with the file: " << message;
  }
  EXPECT_GE(good, 3);
  EXPECT_GE(bad, 40);
}

TEST(TraceFile, ErrorsNameThePlace) {
  const auto error_of = [](const std::string& name) -> std::string {
    try {
      const Trace trace = read_trace(REGARD_SOURCE_DIR "/fuzz/corpus/trace/" + name);
      for (const HeadId id : trace.heads()) trace.map(id).tile({0, 3, 0, 3}, 512, Pool::kMean);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const auto& [name, place] : std::vector<std::pair<std::string, std::string>>{
           {"bad_nan_lse", "layers.0.lse: head 0, query 0"},
           {"bad_small_lse", "L0H0: query 0, key 0"},
           {"bad_nan_key", "L0H0: query 0, key 0"},
           {"bad_kv_of", "layers.0.kv_of"},
           {"bad_slot", "layers.0.relative_slot[1]"},
           {"bad_span_outside", "tokens.span[2]"},
           {"bad_piece_end", "tokens.piece_end[2]"},
           {"bad_unknown_array", "layers.0.twist"},
           {"bad_no_query", "layers.0.query"},
           {"bad_no_overview_max", "layers.0.overview_max"},
           {"bad_alibi_without_slopes", "layers.0.alibi_slopes"},
           {"bad_score_window", "regard.score.0"},
           {"bad_newer_format", "newer Regard"},
           {"bad_kind", "regard.kind"},
           {"bad_cross_without_keys", "keys.text"},
           {"bad_cross_of_format_1", "regard.format"},
           {"bad_keys_of_self", "keys.tokens.id"},
           {"bad_cross_square", "layers.0.key"},
           {"bad_cross_span", "keys.tokens.span[1]"},
           {"bad_cross_valid_of_rows", "keys.valid"},
           {"bad_cross_no_columns", "keys.tokens.id"}})
    EXPECT_NE(error_of(name).find(place), std::string::npos) << name << ": " << error_of(name);
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
