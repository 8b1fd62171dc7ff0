// SPDX-License-Identifier: Apache-2.0
// A config.json is read by its table, or refused by the name of the key.
#include "regard/model/model_spec.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "regard/platform/error.h"

namespace regard {
namespace {

// A BERT configuration with `extra` members put in front.
std::string config(const std::string& extra = "", const std::string& heads = "4") {
  return "{" + extra + R"("model_type": "bert", "vocab_size": 100, "hidden_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": )" +
         heads + R"(, "intermediate_size": 128,
    "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "hidden_act": "gelu", "hidden_dropout_prob": 0.1})";
}

ModelSpec read(const std::string& text) {
  const JsonDocument document = JsonDocument::parse(text, "config.json");
  return read_model_spec(document.root());
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ModelSpec, IsFilledFromABertConfiguration) {
  const ModelSpec spec = read(config());
  EXPECT_EQ(spec.head_dim, 16);
  EXPECT_EQ(spec.layer.at(1).scale, 0.25f);  // 1 / sqrt(16)
  EXPECT_EQ(spec.max_positions, 32);
  EXPECT_FALSE(spec.causal);
  EXPECT_TRUE(spec.notes.empty());
}

TEST(ModelSpec, ABertConfigurationMayLeaveOutWhatTransformersHasDefaultsFor) {
  const ModelSpec spec = read(R"({"model_type": "bert", "vocab_size": 100, "hidden_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128})");
  EXPECT_EQ(spec.max_positions, 512);
  EXPECT_EQ(spec.types, 2);
  EXPECT_EQ(spec.norm_epsilon, 1e-12f);
  EXPECT_EQ(spec.activation, kernels::Activation::kGelu);
  EXPECT_TRUE(spec.head.tied);
  EXPECT_FALSE(read(config("\"tie_word_embeddings\": false, ")).head.tied);
}

TEST(ModelSpec, RefusesUnknownKeysThatCouldChangeAScore) {
  for (const char* key : {"rope_theta", "sliding_window", "attn_logit_softcapping", "qk_norm",
                          "AttentionBiasKind", "position_offset"})
    EXPECT_NE(error_of(config("\"" + std::string(key) + "\": 1, ")).find(key), std::string::npos)
        << key;
}

TEST(ModelSpec, RefusesTwoWordsOnTheRotaryPositionsThatDiffer) {
  const auto llama = [](const std::string& scaling) {
    return R"({"model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
      "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 61,
      "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu",
      "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
      "rope_scaling": )" +
           scaling + "}";
  };
  EXPECT_NE(error_of(llama(R"({"rope_type": "linear", "factor": 4.0})")).find("rope_scaling"),
            std::string::npos);
  // transformers 5 would take the second, whose base is 10,000.
  EXPECT_NO_THROW(read(llama(R"({"type": "default", "factor": 4.0})")));
  EXPECT_NE(error_of(llama(R"({"rope_theta": 500.0})")).find("rope_scaling"), std::string::npos);
  EXPECT_NE(error_of(llama("7")).find("rope_scaling"), std::string::npos);
  for (const char* nothing : {"null", "{}"}) EXPECT_NO_THROW(read(llama(nothing))) << nothing;
}

// A small decoder with `extra` members put in front.
std::string decoder(const std::string& type, const std::string& extra) {
  return "{" + extra + R"("model_type": ")" + type + R"(", "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 8,
    "vocab_size": 61, "max_position_embeddings": 128})";
}

TEST(ModelSpec, TakesPhi3sOriginalLengthFromItsClassAsTransformersDoes) {
  const std::string rope = R"("rope_parameters": {"rope_type": "longrope", "rope_theta": 10000.0,
    "short_factor": [1, 2, 3, 4], "long_factor": [5, 6, 7, 8],
    "original_max_position_embeddings": 24}, )";
  EXPECT_EQ(read(decoder("phi3", rope)).rotaries.at(0).original, 4096);
  EXPECT_EQ(read(decoder("phi3", "\"original_max_position_embeddings\": 48, " + rope))
                .rotaries.at(0)
                .original,
            48);
  EXPECT_EQ(read(decoder("llama", rope)).rotaries.at(0).original, 24);
}

TEST(ModelSpec, RefusesADefaultThatTheOtherKeysForbid) {
  // 8 experts a token is the default of the class.
  EXPECT_NE(error_of(decoder("qwen3_moe", R"("num_experts": 4, )")).find("num_experts_per_tok"),
            std::string::npos);
  EXPECT_NE(error_of(decoder("mixtral", R"("num_local_experts": 1, )")).find("num_experts_per_tok"),
            std::string::npos);
  // The class stretches its positions where nothing is said.
  EXPECT_NE(error_of(decoder("gpt_oss", "")).find("rope_parameters"), std::string::npos);
  EXPECT_NE(error_of(decoder("mpnet", "\"relative_attention_num_buckets\": 16, "))
                .find("relative_attention_num_buckets"),
            std::string::npos);
}

TEST(ModelSpec, RefusesWhatAPublishedKeyCouldMeanWithAnotherValue) {
  for (const auto& [type, key, value] :
       std::vector<std::array<std::string, 3>>{{"llama", "rope_interleaved", "true"},
                                               {"qwen2", "use_mrope", "true"},
                                               {"phi3", "attention_bias", "true"},
                                               {"phi3", "full_attn_mod", "2"},
                                               {"mixtral", "lm_head_bias", "true"},
                                               {"gemma2", "sliding_window_size", "7"},
                                               {"deberta-v2", "attention_head_size", "16"},
                                               {"stablelm", "rotary_scaling_factor", "2.0"}})
    EXPECT_NE(error_of(decoder(type, "\"" + key + "\": " + value + ", ")).find(key),
              std::string::npos)
        << key;
}

TEST(ModelSpec, RefusesQuantisationThatIsNotKnownByName) {
  const std::string error =
      error_of(decoder("llama", R"("quantization_config": {"quant_method": "gptq"}, )"));
  EXPECT_NE(error.find("quantization_config.quant_method"), std::string::npos) << error;
  EXPECT_NE(error.find("mxfp4"), std::string::npos) << error;
}

TEST(ModelSpec, NotesOtherUnknownKeys) {
  const ModelSpec spec = read(config("\"favourite_colour\": \"blue\", "));
  ASSERT_EQ(spec.notes.size(), 1u);
  EXPECT_NE(spec.notes[0].find("favourite_colour"), std::string::npos);
}

TEST(ModelSpec, NamesTheKeyThatIsWrong) {
  EXPECT_NE(error_of(config("", "5")).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(error_of(config("", "\"4\"")).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(error_of(config("", "0")).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(error_of(config("", "9223372036854775807")).find("num_attention_heads"),
            std::string::npos);
  EXPECT_NE(error_of(config("\"position_embedding_type\": \"relative_key\", "))
                .find("position_embedding_type"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"model_type": "mystery"})").find("bert"), std::string::npos);
  EXPECT_NE(error_of("{}").find("model_type"), std::string::npos);
  EXPECT_NE(error_of("[1]").find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace regard
