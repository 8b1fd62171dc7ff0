// SPDX-License-Identifier: Apache-2.0
// Weights of small heads, one for each option of a score, as the vectors that the page's TypeScript
// twin of the score is tested on: web/tests/score_vectors.json. The file in git must be what this
// program computes; with REGARD_WRITE_SCORE_VECTORS=1 in the environment it is written anew.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/forward.h"
#include "regard/attention/relative.h"
#include "regard/platform/json.h"

namespace regard {
namespace {

const std::string kFile = std::string(REGARD_SOURCE_DIR) + "/web/tests/score_vectors.json";
constexpr std::int64_t kDim = 4;

// A head with the arrays of its score; those that are empty it does not have.
struct Case {
  std::string name;
  std::int64_t queries, keys;
  ScoreSpec score;
  std::vector<float> query, key, slope, sink, bias, query_relative, key_relative;
  std::vector<std::int32_t> slot;
  std::int64_t slots = 0;
  std::vector<std::uint8_t> blocks, key_valid;
  std::vector<double> lse;
  std::vector<float> weights;

  Case(std::string n, std::int64_t q, std::int64_t k, const ScoreSpec& s)
      : name(std::move(n)), queries(q), keys(k), score(s) {
    query = draw(q * kDim), key = draw(k * kDim);
  }

  // Multiples of 1/256 in [-2, 2): short in decimal, exact in binary, the same on every machine.
  static std::vector<float> draw(std::int64_t count) {
    static std::mt19937 random(20250101);
    std::vector<float> list(static_cast<std::size_t>(count));
    for (float& x : list) x = static_cast<float>(random() % 1024) / 256.0f - 2.0f;
    return list;
  }

  void compute() {
    const auto of = [](const auto& list) { return list.empty() ? nullptr : list.data(); };
    AttentionInput in;
    in.heads = in.kv_heads = 1, in.queries = queries, in.keys = keys;
    in.dim = in.value_dim = kDim;
    in.query = query.data(), in.key = in.value = key.data(), in.key_valid = of(key_valid);
    in.score = score;
    in.terms.slopes = of(slope), in.terms.sinks = of(sink);
    in.terms.bias = of(bias), in.terms.bias_reach = static_cast<std::int64_t>(bias.size() / 2);
    in.terms.query_relative = of(query_relative), in.terms.key_relative = of(key_relative);
    in.terms.slot = of(slot), in.terms.slot_reach = static_cast<std::int64_t>(slot.size() / 2);
    in.terms.slots = slots, in.terms.blocks = of(blocks);
    lse.resize(static_cast<std::size_t>(queries));
    weights.resize(static_cast<std::size_t>(queries * keys));
    std::vector<float> out(query.size());
    attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
    HeadView head = in.head(0);
    head.lse = lse.data(), head.key_valid = in.key_valid;
    AttentionMap(head).read_rows(0, queries, weights.data());
  }

  std::string json() const {
    std::string parts;
    const auto list = [&](const char* part, const auto& numbers) {
      if (!numbers.empty()) parts += fmt::format(",\"{}\":[{}]", part, fmt::join(numbers, ","));
    };
    list("query", query), list("key", key), list("slope", slope), list("bias", bias);
    list("queryRelative", query_relative), list("keyRelative", key_relative);
    list("slot", slot), list("blocks", blocks), list("keyValid", key_valid);
    std::vector<std::string> lses;  // JSON has no infinities: null is a row that sees nothing
    for (double x : lse) lses.push_back(std::isfinite(x) ? fmt::format("{}", x) : "null");
    list("lse", lses);
    return fmt::format(
        "{{\"name\":{},\"queries\":{},\"keys\":{},\"dim\":{},\"slots\":{},\"score\":{}{},"
        "\"weights\":[{:.8g}]}}",
        json_quoted(name), queries, keys, kDim, slots, to_json(score), parts,
        fmt::join(weights, ","));
  }
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const auto add = [&](const char* name, std::int64_t queries, std::int64_t keys,
                       const ScoreSpec& score) -> Case& {
    return list.emplace_back(name, queries, keys, score);
  };
  list.reserve(32);
  add("scale", 6, 7, {.scale = 0.5f});
  add("scale that is no short decimal", 6, 7, {.scale = 3.0f / 1.4142135f});
  add("cap", 6, 7, {.scale = 1.0f, .cap = 1.5f});
  add("causal", 7, 7, {.scale = 0.5f, .causal = true});
  add("causal after a cache", 4, 9, {.scale = 0.5f, .causal = true});
  add("window", 9, 9, {.scale = 0.5f, .window = 3});
  add("causal window", 9, 9, {.scale = 0.5f, .causal = true, .window = 3});
  add("chunk", 9, 9, {.scale = 0.5f, .causal = true, .chunk = 4});
  add("chunk and window after a cache", 5, 9,
      {.scale = 0.5f, .causal = true, .window = 2, .chunk = 4});
  add("prefix", 8, 8, {.scale = 0.5f, .causal = true, .prefix = 3});
  add("distance bias", 8, 8, {.scale = 0.5f, .alibi = Alibi::kDistance}).slope = {0.25f};
  add("distance bias after a cache", 3, 8,
      {.scale = 0.5f, .causal = true, .alibi = Alibi::kDistance})
      .slope = {0.0625f};
  // 0.70710678 is rounded to bfloat16, and so are positions above 256.
  add("Falcon's bias", 2, 300, {.scale = 0.25f, .causal = true, .alibi = Alibi::kFalcon}).slope = {
      0.70710678f};
  add("bias by distance", 7, 7, {.scale = 0.5f}).bias = Case::draw(9);
  Case& cached = add("bias by distance, cap, after a cache", 4, 9, {.scale = 0.5f, .cap = 2.0f});
  cached.bias = Case::draw(5);
  add("sink", 6, 6, {.scale = 0.5f, .causal = true}).sink = {1.25f};
  const auto relative = [&](Case& c, bool query, bool key) {
    c.slots = 6;
    c.slot = deberta_slots(c.keys - 1, 3, 4, 8);
    if (query) c.query_relative = Case::draw(c.queries * c.slots);
    if (key) c.key_relative = Case::draw(c.keys * c.slots);
  };
  relative(add("relative to the query", 7, 7, {.scale = 0.25f}), true, false);
  relative(add("relative to the key", 7, 7, {.scale = 0.25f}), false, true);
  relative(add("relative to both", 7, 7, {.scale = 0.25f}), true, true);
  Case& padded = add("padding", 6, 6, {.scale = 0.5f});
  padded.key_valid = {1, 0, 1, 1, 0, 0};
  add("a row that sees nothing", 3, 3, {.scale = 0.5f, .causal = true}).key_valid = {0, 1, 1};
  Case& blocks = add("blocks", 3, 68, {.scale = 0.5f});
  blocks.blocks = {0, 1};
  for (Case& one : list) one.compute();
  return list;
}

std::string text() {
  std::string out = "[\n";
  for (const Case& one : cases()) out += (out.size() > 2 ? ",\n" : "") + one.json();
  return out + "\n]\n";
}

void expect_near(const Json& found, const Json& expected, const std::string& at) {
  if (expected.is_array() || expected.is_object()) {
    ASSERT_EQ(found.type(), expected.type()) << at;
    ASSERT_EQ(found.size(), expected.size()) << at;
  }
  if (expected.is_array()) {
    std::vector<Json> list;
    found.for_each_element([&](std::size_t, Json value) { list.push_back(value); });
    expected.for_each_element([&](std::size_t i, Json value) {
      expect_near(list[i], value, fmt::format("{}[{}]", at, i));
    });
  } else if (expected.is_object()) {
    expected.for_each_member([&](std::string_view key, Json value) {
      expect_near(found.at(key), value, fmt::format("{}.{}", at, key));
    });
  } else if (expected.is_string()) {
    EXPECT_EQ(found.string(), expected.string()) << at;
  } else if (expected.type() == Json::Type::kBoolean) {
    EXPECT_EQ(found.boolean(), expected.boolean()) << at;
  } else if (!expected.is_null()) {
    EXPECT_NEAR(found.number(), expected.number(), 1e-6) << at;
  }
}

TEST(ScoreVectors, TheFileOfThePagesTestsHoldsWhatTheScoreSays) {
  const std::string written = text();
  if (std::getenv("REGARD_WRITE_SCORE_VECTORS") != nullptr) std::ofstream(kFile) << written;
  std::ifstream in(kFile);
  const std::string read((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto found = JsonDocument::parse(read, kFile), now = JsonDocument::parse(written, "now");
  expect_near(found.root(), now.root(), "vectors");
}

}  // namespace
}  // namespace regard
