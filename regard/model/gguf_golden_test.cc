// SPDX-License-Identifier: Apache-2.0
// Golden checkpoints as the GGUF files that llama.cpp's converter makes of them: each recipe of
// tests/golden/gguf (tools/make_gguf_golden.py says what is in one) must give the attention and
// the logits of its checkpoint.
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/gguf_tables.h"
#include "regard/model/model_golden.h"
#include "regard/platform/json.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

// Builds the file again.
class GgufTwin {
 public:
  explicit GgufTwin(const fs::path& recipe) : text_(read(recipe)), name_(recipe.string()) {}

  // The checkpoint's folder.
  fs::path source() const { return kGolden / document_.root().at("source").string(); }

  std::string architecture() const {
    return std::string(element(element(document_.root().at("metadata"), 0), 2).string());
  }

  // For refusals: a number of the metadata, added where it is not there; another name for a tensor
  // or for the architecture.
  void set(const std::string& key, double value) { changed_[key] = value; }
  void rename(const std::string& from, const std::string& to) { renamed_[from] = to; }

  void save(const fs::path& file) const {
    const Json root = document_.root();
    std::string out = "GGUF";
    number<std::uint32_t>(3, &out);
    number<std::uint64_t>(root.at("tensors").size(), &out);
    std::size_t values = root.at("metadata").size();
    std::string metadata;
    auto left = changed_;
    root.at("metadata").for_each_element([&](std::size_t, Json entry) {
      const Json key = element(entry, 0), type = element(entry, 1);
      text(key.string(), &metadata);
      const auto changed = left.find(std::string(key.string()));
      if (changed != left.end()) {
        float_value(changed->second, &metadata);
        left.erase(changed);
      } else if (type.is_array()) {
        number<std::uint32_t>(9, &metadata);
        number(code(element(type, 1).string()), &metadata);
        const Json all = element(entry, 2);
        number<std::uint64_t>(all.size(), &metadata);
        all.for_each_element(
            [&](std::size_t, Json x) { value(x, element(type, 1).string(), &metadata); });
      } else {
        number(code(type.string()), &metadata);
        value(element(entry, 2), type.string(), &metadata);
      }
    });
    for (const auto& [key, given] : left) {
      text(key, &metadata);
      float_value(given, &metadata);
      ++values;
    }
    number<std::uint64_t>(values, &out);
    out += metadata;

    const Checkpoint checkpoint = Checkpoint::open(source().string());
    std::string data;
    root.at("tensors").for_each_element([&](std::size_t, Json tensor) {
      text(named(tensor.at("name")), &out);
      const std::vector<std::int64_t> shape = integers(tensor.at("shape"));
      number(static_cast<std::uint32_t>(shape.size()), &out);
      for (auto size = shape.rbegin(); size != shape.rend(); ++size)
        number(static_cast<std::uint64_t>(*size), &out);
      const auto bytes = tensor.find("mxfp4");
      number<std::uint32_t>(bytes ? 39 : 0, &out);
      number<std::uint64_t>(data.size(), &out);
      if (bytes) {
        add_hexadecimal(bytes->string(), &data);
      } else {
        const std::vector<float> all = elements(tensor, shape.back(), checkpoint);
        data.append(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(float));
      }
      data.append((32 - data.size() % 32) % 32, '\0');
    });
    out.append((32 - out.size() % 32) % 32, '\0');
    std::ofstream(file, std::ios::binary) << out << data;
  }

 private:
  static std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  template <typename T>
  static void number(T value, std::string* out) {
    out->append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void text(std::string_view value, std::string* out) {
    number<std::uint64_t>(value.size(), out);
    *out += value;
  }
  static void float_value(double value, std::string* out) {
    number<std::uint32_t>(6, out);
    number(static_cast<float>(value), out);
  }
  static std::uint32_t code(std::string_view type) {
    static const std::map<std::string_view, std::uint32_t> kCodes = {
        {"uint32", 4}, {"int32", 5}, {"float32", 6}, {"bool", 7}, {"string", 8}};
    return kCodes.at(type);
  }
  std::string named(Json name) const {
    const auto found = renamed_.find(std::string(name.string()));
    return found == renamed_.end() ? std::string(name.string()) : found->second;
  }
  void value(Json json, std::string_view type, std::string* out) const {
    if (type == "string") text(named(json), out);
    if (type == "bool") number<std::uint8_t>(json.boolean() ? 1 : 0, out);
    if (type == "float32") number(static_cast<float>(json.number()), out);
    if (type == "uint32" || type == "int32") number(static_cast<std::int32_t>(json.integer()), out);
  }
  static Json element(Json array, std::size_t index) {
    std::optional<Json> found;
    array.for_each_element([&](std::size_t i, Json x) {
      if (i == index) found = x;
    });
    return found.value();
  }
  static std::vector<std::int64_t> integers(Json array) {
    std::vector<std::int64_t> out;
    array.for_each_element([&](std::size_t, Json x) { out.push_back(x.integer()); });
    return out;
  }
  static void add_hexadecimal(std::string_view digits, std::string* out) {
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      *out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }

  // The rows of the checkpoint's tensors that a tensor is made of.
  static std::vector<float> elements(Json tensor, std::int64_t last, const Checkpoint& checkpoint) {
    std::vector<float> out;
    if (const auto values = tensor.find("values")) {
      values->for_each_element(
          [&](std::size_t, Json x) { out.push_back(static_cast<float>(x.number())); });
      return out;
    }
    const bool vector = tensor.at("shape").size() == 1 || tensor.find("width");
    const std::size_t width = vector ? 1 : static_cast<std::size_t>(last);
    const float plus = tensor.find("plus") ? 1 : 0;
    tensor.at("rows").for_each_element([&](std::size_t, Json run) {
      const TensorView view = checkpoint.find(element(run, 0).string()).value();
      std::vector<float> source(static_cast<std::size_t>(view.size()));
      convert_to_f32(view, source);
      if (tensor.find("columns")) source = turned(source, view.shape);
      const auto first = static_cast<std::size_t>(element(run, 1).integer()) * width;
      const auto count = static_cast<std::size_t>(element(run, 2).integer()) * width;
      for (std::size_t i = first; i < first + count; ++i) out.push_back(source.at(i) + plus);
    });
    return out;
  }
  // Every matrix of the last two axes transposed.
  static std::vector<float> turned(const std::vector<float>& in, const Shape& shape) {
    const auto rows = static_cast<std::size_t>(shape[shape.size() - 2]);
    const auto columns = static_cast<std::size_t>(shape[shape.size() - 1]);
    std::vector<float> out(in.size());
    for (std::size_t base = 0; base < in.size(); base += rows * columns)
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          out[base + j * rows + i] = in[base + i * columns + j];
    return out;
  }

  std::string text_, name_;
  JsonDocument document_ = JsonDocument::parse(text_, name_);
  std::map<std::string, double> changed_;
  std::map<std::string, std::string> renamed_;
};

std::vector<std::string> recipes() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGolden / "gguf"))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

GgufTwin twin(const std::string& name) { return GgufTwin(kGolden / "gguf" / (name + ".json")); }

class GgufGolden : public testing::TestWithParam<std::string> {
 protected:
  const TemporaryFolder folder_;
  const fs::path file_ = folder_.path() / "twin.gguf";
};

TEST_P(GgufGolden, EqualsPyTorchAsItsCheckpointDoes) {
  const GgufTwin recipe = twin(GetParam());
  recipe.save(file_);
  const Model model = Model::open(file_.string());
  const fs::path expected = recipe.source() / "expected.safetensors";
  expect_golden(model, SafetensorsFile::open(expected.string()));
}

INSTANTIATE_TEST_SUITE_P(Recipes, GgufGolden, testing::ValuesIn(recipes()),
                         [](const auto& golden) { return golden.param; });

TEST(GgufGoldenFolder, HoldsEveryArchitectureOfTheTable) {
  const std::vector<std::string> names = recipes();
  std::set<std::string> present;
  for (const std::string& name : names) present.insert(twin(name).architecture());
  for (const GgufArchitecture& entry : gguf_architectures())
    EXPECT_TRUE(present.contains(std::string(entry.name))) << entry.name;
}

class GgufRefusal : public GgufGolden {
 protected:
  std::string refusal(const std::string& name, const std::string& key, double value) {
    GgufTwin recipe = twin(name);
    recipe.set(key, value);
    recipe.save(file_);
    return error_of([&] { Model::open(file_.string()); });
  }
};

TEST_F(GgufRefusal, NamesAKeyThatMayChangeTheAttention) {
  for (const auto& [name, key] : std::vector<std::pair<std::string, std::string>>{
           {"llama", "llama.attention.temperature_scale"},
           {"llama", "llama.rope.scaling.yarn_log_multiplier"},
           {"llama", "llama.rope.scaling.attn_factor"},
           {"olmo2", "olmo2.attention.sliding_window"},
           {"mpt_usual", "mpt.attention.max_alibi_bias"},
           {"mpt_usual", "mpt.attention.head_count_kv"}})
    EXPECT_THAT(refusal(name, key, 2), testing::HasSubstr(key)) << name;
}

TEST_F(GgufRefusal, NamesATensorThatTheModelDoesNotUse) {
  for (const auto& [name, tensor] : std::vector<std::pair<std::string, std::string>>{
           {"qwen2_usual", "blk.1.attn_q_norm.weight"},
           {"falcon_multi_query_usual", "blk.1.ffn_norm.weight"},  // one after the other
           {"t5_usual", "enc.blk.1.attn_rel_b.weight"},            // UMT5: every layer its own
           {"mpt_usual", "position_embd.weight"}}) {
    GgufTwin recipe = twin(name);
    const std::string part = name == "t5_usual" ? "enc." : "";
    recipe.rename(part + "blk.1.attn_norm.weight", tensor);
    recipe.save(file_);
    EXPECT_THAT(error_of([&] { Model::open(file_.string()); }), testing::HasSubstr(tensor));
  }
}

TEST_F(GgufRefusal, NamesAnUnknownArchitectureAndTheKnownOnes) {
  GgufTwin recipe = twin("llama");
  recipe.rename("llama", "mamba");
  recipe.save(file_);
  EXPECT_THAT(error_of([&] { Model::open(file_.string()); }),
              testing::AllOf(testing::HasSubstr("mamba"), testing::HasSubstr("qwen3moe, gemma"),
                             testing::HasSubstr("modern-bert, t5")));
}

// attention.causal may be said of any architecture.
TEST_F(GgufRefusal, IsNotCausalWhereTheFileSaysSo) {
  GgufTwin recipe = twin("bert_pair");
  recipe.save(file_);
  EXPECT_FALSE(Model::open(file_.string()).spec().causal);
}

}  // namespace
}  // namespace regard
