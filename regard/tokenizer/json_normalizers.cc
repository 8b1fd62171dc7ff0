// SPDX-License-Identifier: Apache-2.0
// The normalizer and pre_tokenizer of tokenizer.json.
#include <fmt/format.h>

#include <array>
#include <limits>
#include <memory>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

std::string decode_base64(const Json& value) {
  std::array<int, 256> digits;
  digits.fill(-1);
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    digits[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  }
  std::string_view in = value.string();
  while (in.ends_with('=')) in.remove_suffix(1);
  std::string out;
  out.reserve(in.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : in) {
    const int digit = digits[static_cast<unsigned char>(c)];
    if (digit < 0) throw value.wrong("base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return out;
}

SplitBehavior read_behavior(const Json& value) {
  const std::string_view name = value.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  throw value.wrong("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

}  // namespace

Regex read_pattern(const Json& pattern, const std::string& file) {
  if (const auto literal = pattern.find("String")) return Regex::literal(literal->string());
  if (const auto regex = pattern.find("Regex")) {
    return Regex::compile(regex->string(), file, "pattern.Regex");
  }
  throw pattern.wrong("String or Regex");
}

std::string read_character(const Json& value) {
  const std::string_view c = value.string();
  if (c.empty() || decode_utf8(c, 0).size != c.size()) throw value.wrong("one character");
  return std::string(c);
}

MetaspacePreTokenizer read_metaspace(const Json& object) {
  demand_known(object,
               {"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
  using Prepend = MetaspacePreTokenizer::Prepend;
  MetaspacePreTokenizer out;
  out.replacement = read_character(object.at("replacement"));
  out.split = flag(object, "split", true);
  if (const auto scheme = present(object, "prepend_scheme")) {
    const std::string_view name = scheme->string();
    if (name == "first") {
      out.prepend = Prepend::kFirst;
    } else if (name == "never") {
      out.prepend = Prepend::kNever;
    } else if (name != "always") {
      throw scheme->wrong("first, never or always");
    }
    if (!flag(object, "add_prefix_space", true) && out.prepend != Prepend::kNever) {
      throw scheme->wrong("never, as add_prefix_space is false");
    }
  } else if (!flag(object, "add_prefix_space", true)) {
    out.prepend = Prepend::kNever;  // as written before there was a scheme
  }
  return out;
}

void read_normalizer(const Json& normalizer, const std::string& file,
                     std::vector<Normalizer>& out) {
  const Json type = normalizer.at("type");
  const std::string_view name = type.string();
  const auto only = [&](std::initializer_list<std::string_view> keys) {
    demand_known(normalizer, keys);
  };
  if (name == "Sequence") {
    only({"type", "normalizers"});
    normalizer.at("normalizers").for_each_element([&](std::size_t, const Json& element) {
      read_normalizer(element, file, out);
    });
  } else if (name == "BertNormalizer" || name == "Bert") {
    only({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
    BertNormalizer options;
    options.clean_text = flag(normalizer, "clean_text", true);
    options.handle_chinese_chars = flag(normalizer, "handle_chinese_chars", true);
    options.lowercase = flag(normalizer, "lowercase", true);
    options.strip_accents = flag(normalizer, "strip_accents", options.lowercase);
    out.emplace_back(options);
  } else if (name == "NFC" || name == "NFD" || name == "NFKC" || name == "NFKD") {
    only({"type"});
    out.emplace_back(name == "NFC"    ? NormalForm::kNfc
                     : name == "NFD"  ? NormalForm::kNfd
                     : name == "NFKC" ? NormalForm::kNfkc
                                      : NormalForm::kNfkd);
  } else if (name == "Lowercase") {
    only({"type"});
    out.emplace_back(LowercaseNormalizer{});
  } else if (name == "StripAccents") {
    only({"type"});
    out.emplace_back(StripAccentsNormalizer{});
  } else if (name == "Nmt") {
    only({"type"});
    out.emplace_back(NmtNormalizer{});
  } else if (name == "ByteLevel") {
    only({"type"});
    out.emplace_back(ByteLevelNormalizer{});
  } else if (name == "Strip") {
    only({"type", "strip_left", "strip_right"});
    out.emplace_back(StripNormalizer{normalizer.at("strip_left").boolean(),
                                     normalizer.at("strip_right").boolean()});
  } else if (name == "Replace") {
    only({"type", "pattern", "content"});
    out.emplace_back(ReplaceNormalizer{read_pattern(normalizer.at("pattern"), file),
                                       std::string(normalizer.at("content").string())});
  } else if (name == "Prepend") {
    only({"type", "prepend"});
    out.emplace_back(PrependNormalizer{std::string(normalizer.at("prepend").string())});
  } else if (name == "Precompiled") {
    only({"type", "precompiled_charsmap"});
    const Json map = normalizer.at("precompiled_charsmap");
    if (map.is_null() || map.string().empty()) {
      throw map.wrong("a character map (without one, leave Precompiled out)");
    }
    out.emplace_back(std::make_shared<const CharsMap>(
        CharsMap::parse(decode_base64(map), file, "precompiled_charsmap")));
  } else {
    throw type.wrong(
        one_of({"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents",
                "Strip", "Replace", "Prepend", "Nmt", "Precompiled", "ByteLevel", "Sequence"}));
  }
}

void read_pre_tokenizer(const Json& pre_tokenizer, const std::string& file,
                        std::vector<PreTokenizer>& out) {
  const Json type = pre_tokenizer.at("type");
  const std::string_view name = type.string();
  const auto only = [&](std::initializer_list<std::string_view> keys) {
    demand_known(pre_tokenizer, keys);
  };
  if (name == "Sequence") {
    only({"type", "pretokenizers"});
    pre_tokenizer.at("pretokenizers").for_each_element([&](std::size_t, const Json& element) {
      read_pre_tokenizer(element, file, out);
    });
  } else if (name == "ByteLevel") {
    only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    out.emplace_back(ByteLevelPreTokenizer{flag(pre_tokenizer, "add_prefix_space", true),
                                           flag(pre_tokenizer, "use_regex", true)});
  } else if (name == "Metaspace") {
    out.emplace_back(read_metaspace(pre_tokenizer));
  } else if (name == "Split") {
    only({"type", "pattern", "behavior", "invert"});
    out.emplace_back(SplitPreTokenizer{read_pattern(pre_tokenizer.at("pattern"), file),
                                       read_behavior(pre_tokenizer.at("behavior")),
                                       flag(pre_tokenizer, "invert", false)});
  } else if (name == "Digits") {
    only({"type", "individual_digits"});
    out.emplace_back(DigitsPreTokenizer{flag(pre_tokenizer, "individual_digits", false)});
  } else if (name == "Punctuation") {
    only({"type", "behavior"});
    PunctuationPreTokenizer options;
    if (const auto behavior = present(pre_tokenizer, "behavior")) {
      options.behavior = read_behavior(*behavior);
    }
    out.emplace_back(options);
  } else if (name == "Whitespace") {
    only({"type"});
    out.emplace_back(WhitespacePreTokenizer{});
  } else if (name == "WhitespaceSplit") {
    only({"type"});
    out.emplace_back(WhitespaceSplitPreTokenizer{});
  } else if (name == "UnicodeScripts") {
    only({"type"});
    out.emplace_back(UnicodeScriptsPreTokenizer{});
  } else if (name == "BertPreTokenizer") {
    only({"type"});
    out.emplace_back(BertPreTokenizer{});
  } else if (name == "CharDelimiterSplit" || name == "Delimiter") {
    only({"type", "delimiter"});
    out.emplace_back(
        DelimiterPreTokenizer{decode_utf8(read_character(pre_tokenizer.at("delimiter")), 0).value});
  } else if (name == "FixedLength") {
    only({"type", "length"});
    FixedLengthPreTokenizer options;
    if (const auto length = present(pre_tokenizer, "length")) {
      if (length->integer() < 1) throw length->wrong("1 or more");
      options.length = static_cast<std::size_t>(length->integer());
    }
    out.emplace_back(options);
  } else {
    throw type.wrong(one_of({"ByteLevel", "Metaspace", "Split", "Digits", "Punctuation",
                             "Whitespace", "WhitespaceSplit", "UnicodeScripts", "BertPreTokenizer",
                             "CharDelimiterSplit", "FixedLength", "Sequence"}));
  }
}

}  // namespace regard
