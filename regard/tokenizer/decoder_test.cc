// SPDX-License-Identifier: Apache-2.0
// Decoders against what Hugging Face's tokenizers library says (tools/make_tokenizer_golden.py
// tells the format), and texts that come token by token.
#include "regard/tokenizer/decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/continuation.h"
#include "regard/tokenizer/golden_lines.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

using Ids = std::vector<std::int64_t>;

// As in the generator.
std::vector<Ids> random_ids(std::int64_t size) {
  std::uint64_t x = 1;
  const auto number = [&] {
    x = x * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::int64_t>(x >> 33);
  };
  std::vector<Ids> lists(300);
  for (Ids& list : lists) {
    const std::int64_t length = number() % 12 + 1;
    for (std::int64_t i = 0; i < length; ++i) list.push_back(number() % size);
  }
  return lists;
}

std::string replaced_once(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class DecoderGolden : public testing::TestWithParam<std::string> {};

TEST_P(DecoderGolden, EveryTextIsThatOfTheTokenizersLibrary) {
  const std::vector<std::string> golden =
      golden_lines(golden_folder() + "decoders/" + GetParam() + ".golden");
  const std::size_t tab = golden[0].find('\t');
  const std::string name = golden[0].substr(0, tab), decoder = golden[0].substr(tab + 1);
  const std::string file = golden_folder() + name + "/tokenizer.json";
  const Tokenizer tokenizer =
      Tokenizer::from_json(replaced_once(read_text_file(file, std::size_t{1} << 28),
                                         "\"decoder\":null", "\"decoder\":" + decoder),
                           file);
  std::vector<Ids> lists;
  const std::vector<std::string> cases = golden_lines(golden_folder() + "lines.tsv");
  for (std::size_t i = 0; i < cases.size(); i += 7) {
    const std::vector<std::string> texts = golden_texts(cases[i]);
    Ids ids;
    for (const Token& token : (texts.size() == 1 ? tokenizer.encode(texts[0])
                                                 : tokenizer.encode_pair(texts[0], texts[1]))
                                  .tokens)
      ids.push_back(token.id);
    lists.push_back(std::move(ids));
  }
  const std::size_t written = lists.size();
  for (Ids& ids : random_ids(tokenizer.vocabulary_size())) lists.push_back(std::move(ids));
  ASSERT_EQ(lists.size() + 1, golden.size());
  int different = 0;
  for (std::size_t i = 0; i < lists.size() && different < 5; ++i) {
    const std::string text = tokenizer.decode(lists[i], true);
    const std::string found = text + '\0' + tokenizer.decode(lists[i], false);
    EXPECT_EQ(golden_digest(found), golden[i + 1])
        << "list " << i << ": " << fmt::format("{}", fmt::join(lists[i], " ")) << "\n"
        << found;
    different += golden_digest(found) != golden[i + 1];
    if (i >= written) continue;
    const Continuation continued = continuation(tokenizer, {}, lists[i]);
    EXPECT_EQ(continued.text, text) << "list " << i;
    different += continued.text != text;
    ASSERT_EQ(continued.spans.size(), lists[i].size());
  }
}

std::vector<std::string> decoder_cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() + "decoders"))
    names.push_back(entry.path().stem().string());
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, DecoderGolden, testing::ValuesIn(decoder_cases()),
                         [](const auto& test) { return test.param; });

TEST(Decoders, ThatAreNotKnownAreErrorsThatNameTheKey) {
  const auto message = [](const std::string& decoder) -> std::string {
    const std::string file = golden_folder() + "fixed/tokenizer.json";
    try {
      Tokenizer::from_json(replaced_once(read_text_file(file, std::size_t{1} << 28),
                                         "\"decoder\":null", "\"decoder\":" + decoder),
                           file);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(R"({"type":"Fuse"})"), "");
  for (const auto& [decoder, part] : std::vector<std::pair<std::string, std::string>>{
           {R"({"type":"Twist"})", "ByteFallback"},
           {R"({"type":"Fuse","twist":1})", "twist"},
           {R"({"type":"BPEDecoder","suffix":""})", "suffix"},
           {R"({"type":"Strip","content":"ab","start":0,"stop":0})", "content"},
           {R"({"type":"Strip","content":"a","start":-1,"stop":0})", "start"},
           {R"({"type":"Replace","pattern":{"Regex":"("},"content":""})", "Regex"},
           {R"({"type":"Sequence","decoders":[{"type":"Metaspace"}]})", "replacement"}})
    EXPECT_NE(message(decoder).find(part), std::string::npos) << decoder << message(decoder);
}

TEST(Decoders, StripMoreThanAPieceHasLeavesNothingOfIt) {
  EXPECT_EQ(decode_pieces({"aa", "b"}, {{StripDecoder{"a", 5, 5}}}, "made"), "b");
  EXPECT_EQ(decode_pieces({""}, {{StripDecoder{"a", 1, 1}}}, "made"), "");
}

TEST(Decoders, ThatDoubleATextAgainAndAgainAreAnError) {
  std::vector<Decoder> doubling(60, ReplaceDecoder{Regex::literal("a"), "aa"});
  EXPECT_THROW(decode_pieces({"a"}, doubling, "made"), Error);
  doubling.resize(3, FuseDecoder{});
  EXPECT_EQ(decode_pieces({"a"}, doubling, "made"), "aaaaaaaa");
}

TEST(Continuation, GivesEveryTokenOfACharacterItsBytes) {
  // "é" is two pieces of one byte each in a byte-level alphabet that learned no more.
  const std::string json =
      R"({"version":"1.0","added_tokens":[{"id":4,"content":"<s>","special":true}],)"
      R"("normalizer":null,"pre_tokenizer":null,"post_processor":null,)"
      R"("decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":)"
      R"({"a":0,"Ã":1,"©":2,"Ġb":3,"<s>":4},"merges":[]}})";
  const Tokenizer tokenizer = Tokenizer::from_json(json, "made.json");
  const Continuation found = continuation(tokenizer, {0}, {3, 1, 2, 4, 0, 1});
  EXPECT_EQ(found.text, " b\u00e9a\uFFFD");
  EXPECT_EQ(found.spans, (std::vector<Span>{{0, 2}, {2, 4}, {2, 4}, {4, 4}, {4, 5}, {5, 8}}));
}

}  // namespace
}  // namespace regard
