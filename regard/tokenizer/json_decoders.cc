// SPDX-License-Identifier: Apache-2.0
// The decoder of tokenizer.json.
#include "regard/platform/error.h"
#include "regard/tokenizer/decoder.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

std::size_t count_of(const Json& value) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  const std::int64_t count = value.integer();
  if (count < 0 || count > kMost) throw value.wrong("a number from 0 to 2^30");
  return static_cast<std::size_t>(count);
}

}  // namespace

void read_decoder(const Json& decoder, const std::string& file, std::vector<Decoder>& out) {
  const Json type = decoder.at("type");
  const std::string_view name = type.string();
  const auto only = [&](std::initializer_list<std::string_view> keys) {
    demand_known(decoder, keys);
  };
  if (name == "Sequence") {
    only({"type", "decoders"});
    decoder.at("decoders").for_each_element([&](std::size_t, const Json& element) {
      read_decoder(element, file, out);
    });
  } else if (name == "BPEDecoder") {
    only({"type", "suffix"});
    const Json suffix = decoder.at("suffix");
    if (suffix.string().empty()) throw suffix.wrong("a suffix that is not empty");
    out.emplace_back(BpeDecoder{std::string(suffix.string())});
  } else if (name == "ByteLevel") {
    only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    out.emplace_back(ByteLevelDecoder{});
  } else if (name == "WordPiece") {
    only({"type", "prefix", "cleanup"});
    out.emplace_back(
        WordPieceDecoder{text(decoder, "prefix", "##"), flag(decoder, "cleanup", true)});
  } else if (name == "Metaspace") {
    const MetaspacePreTokenizer same = read_metaspace(decoder);
    out.emplace_back(
        MetaspaceDecoder{same.replacement, same.prepend != MetaspacePreTokenizer::Prepend::kNever});
  } else if (name == "CTC") {
    only({"type", "pad_token", "word_delimiter_token", "cleanup"});
    out.emplace_back(CtcDecoder{text(decoder, "pad_token", "<pad>"),
                                text(decoder, "word_delimiter_token", "|"),
                                flag(decoder, "cleanup", true)});
  } else if (name == "Replace") {
    only({"type", "pattern", "content"});
    out.emplace_back(ReplaceDecoder{read_pattern(decoder.at("pattern"), file),
                                    std::string(decoder.at("content").string())});
  } else if (name == "Fuse") {
    only({"type"});
    out.emplace_back(FuseDecoder{});
  } else if (name == "Strip") {
    only({"type", "content", "start", "stop"});
    out.emplace_back(StripDecoder{read_character(decoder.at("content")),
                                  count_of(decoder.at("start")), count_of(decoder.at("stop"))});
  } else if (name == "ByteFallback") {
    only({"type"});
    out.emplace_back(ByteFallbackDecoder{});
  } else {
    throw type.wrong(one_of({"BPEDecoder", "ByteLevel", "WordPiece", "Metaspace", "CTC", "Replace",
                             "Fuse", "Strip", "ByteFallback", "Sequence"}));
  }
}

}  // namespace regard
