// SPDX-License-Identifier: Apache-2.0
// The names are llama.cpp's (src/llama-vocab.cpp, convert_hf_to_gguf.py). It approximates some of
// the patterns; these are those of the models' own tokenizer.json.
#include "regard/tokenizer/gguf_patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Letters of scripts with case, as the DeepSeek LLM's tokenizer.json lists them.
constexpr std::string_view kDeepSeekLetters =
    R"(\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293)"
    R"(\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c)"
    R"(\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5)"
    R"(\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77)"
    R"(\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59)"
    R"(\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc)"
    R"(\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107)"
    R"(\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139)"
    R"(\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee)"
    R"(\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e)"
    R"(\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\x{10400}-\x{1044f})"
    R"(\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2})"
    R"(\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+)";
constexpr std::string_view kDeepSeekPunctuation =
    R"(\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+)";
constexpr std::string_view kDeepSeekIdeographs = R"([\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7a3]+)";
constexpr std::string_view kBloom =
    R"( ?[^(\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+)";

// Where the bytes become stand-ins in the row of splits.
enum class Bytes { kPlain, kGpt2 };  // as they are, or cut by GPT-2's pattern

struct Pattern {
  std::string_view name;
  bool nfc;
  std::array<std::string_view, 5> splits;  // regular expressions, isolated; empty ones are none
  Bytes bytes;
  bool whole_words;  // a word that is a piece is left whole
};

constexpr std::array kPatterns = {
    Pattern{"llama-bpe", false, {kLlama3}, Bytes::kPlain, true},
    Pattern{"llama3", false, {kLlama3}, Bytes::kPlain, true},
    Pattern{"llama-v3", false, {kLlama3}, Bytes::kPlain, true},
    Pattern{"falcon3", false, {kLlama3}, Bytes::kPlain, true},
    Pattern{"lfm2", false, {kLlama3}, Bytes::kPlain, true},
    Pattern{"dbrx", false, {kLlama3}, Bytes::kPlain, false},
    Pattern{"smaug-bpe", false, {kLlama3}, Bytes::kPlain, false},
    Pattern{"glm4", false, {kLlama3}, Bytes::kPlain, false},
    Pattern{"chatglm-bpe", false, {kLlama3}, Bytes::kPlain, false},
    Pattern{"qwen2", true, {kQwen2}, Bytes::kPlain, false},
    Pattern{"deepseek-r1-qwen", true, {kQwen2}, Bytes::kPlain, false},
    Pattern{"stablelm2", false, {kQwen2}, Bytes::kPlain, false},
    Pattern{"megrez", true, {kQwen2}, Bytes::kPlain, false},
    Pattern{"hunyuan", false, {kQwen2}, Bytes::kPlain, false},
    Pattern{"qwen35", true, {kQwen35}, Bytes::kPlain, false},
    Pattern{"tekken", false, {kTekken}, Bytes::kPlain, true},
    Pattern{"pixtral", false, {kTekken}, Bytes::kPlain, true},
    Pattern{"gpt-4o", false, {kGpt4o}, Bytes::kPlain, false},
    Pattern{"llama4", false, {kGpt4o}, Bytes::kPlain, false},
    Pattern{"gpt-2", false, {}, Bytes::kGpt2, false},
    Pattern{"gpt2", false, {}, Bytes::kGpt2, false},
    Pattern{"phi-2", false, {}, Bytes::kGpt2, false},
    Pattern{"mpt", true, {}, Bytes::kGpt2, false},
    Pattern{"olmo", true, {}, Bytes::kGpt2, false},
    Pattern{"jais", false, {}, Bytes::kGpt2, false},
    Pattern{"roberta-bpe", false, {}, Bytes::kGpt2, false},
    Pattern{"jina-es", false, {}, Bytes::kGpt2, false},
    Pattern{"jina-de", false, {}, Bytes::kGpt2, false},
    Pattern{"jina-v2-es", false, {}, Bytes::kGpt2, false},
    Pattern{"jina-v2-de", false, {}, Bytes::kGpt2, false},
    Pattern{"jina-v2-code", false, {}, Bytes::kGpt2, false},
    Pattern{"smollm", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"starcoder", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"refact", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"command-r", true, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"codeshell", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"exaone", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"minerva-7b", false, {R"(\p{N})"}, Bytes::kGpt2, false},
    Pattern{"deepseek-llm",
            false,
            {R"([\r\n])", kDeepSeekLetters, kDeepSeekPunctuation, kDeepSeekIdeographs, R"(\p{N})"},
            Bytes::kPlain,
            false},
    Pattern{"deepseek-coder",
            false,
            {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepSeekIdeographs, R"(\p{N})"},
            Bytes::kPlain,
            false},
    Pattern{"deepseek-v3",
            false,
            {R"(\p{N}{1,3})", R"([\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+)", kDeepSeek3},
            Bytes::kPlain,
            false},
    Pattern{"bloom", false, {kBloom}, Bytes::kPlain, false},
    Pattern{"poro-chat", false, {kBloom}, Bytes::kPlain, false},
    Pattern{"gpt3-finnish", false, {kBloom}, Bytes::kPlain, false},
    Pattern{"viking", false, {kBloom, R"(\p{N})"}, Bytes::kPlain, false},
    Pattern{"chameleon",
            false,
            {R"(<sentinel:[0-9]+>)", R"((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)",
             R"(([\t\n]|    |  ))", R"(\p{N})", R"([\p{P}!-/:-@\[-`{-~])"},
            Bytes::kGpt2,
            false},
};

}  // namespace

bool apply_gguf_pattern(std::string_view pre, const std::string& file, TokenizerParts& parts) {
  if (pre == "falcon") {
    // Digits are told apart after the bytes have become stand-ins, as in Falcon's tokenizer.json.
    parts.pre_tokenizers.emplace_back(PunctuationPreTokenizer{SplitBehavior::kContiguous});
    parts.pre_tokenizers.emplace_back(ByteLevelPreTokenizer{false, true});
    parts.pre_tokenizers.emplace_back(DigitsPreTokenizer{false});
    parts.pre_tokenizers.emplace_back(
        SplitPreTokenizer{Regex::compile("[0-9][0-9][0-9]", file, "tokenizer.ggml.pre")});
    return false;
  }
  const auto* found = std::find_if(kPatterns.begin(), kPatterns.end(),
                                   [&](const Pattern& pattern) { return pattern.name == pre; });
  if (found == kPatterns.end()) {
    std::string names = "falcon";
    for (const Pattern& pattern : kPatterns) names += fmt::format(", {}", pattern.name);
    throw Error::at(file, "tokenizer.ggml.pre", fmt::format("one of {}", names),
                    pre.empty() ? "none" : pre);
  }
  if (found->nfc) parts.normalizers.emplace_back(NormalForm::kNfc);
  for (const std::string_view split : found->splits) {
    if (split.empty()) continue;
    parts.pre_tokenizers.emplace_back(
        SplitPreTokenizer{Regex::compile(split, file, "tokenizer.ggml.pre")});
  }
  parts.pre_tokenizers.emplace_back(ByteLevelPreTokenizer{false, found->bytes == Bytes::kGpt2});
  return found->whole_words;
}

}  // namespace regard
