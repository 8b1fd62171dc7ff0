// SPDX-License-Identifier: Apache-2.0
// Learned vocabularies against the tokenizers library's (tools/make_piece_golden.py), and by hand.
#include "regard/tokenizer/piece_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"

namespace regard {
namespace {

const JsonDocument& golden() {
  static const std::string path =
      std::string(REGARD_SOURCE_DIR) + "/tests/golden/tokenizer/trained.json";
  static const JsonDocument json = JsonDocument::parse(read_text_file(path, 1 << 22), path);
  return json;
}

std::vector<std::string> strings(Json list) {
  std::vector<std::string> out;
  list.for_each_element([&](std::size_t, Json item) { out.emplace_back(item.string()); });
  return out;
}

std::vector<std::string> pieces_of(const Tokenizer& tokenizer) {
  std::vector<std::string> pieces;
  for (std::int64_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    pieces.push_back(tokenizer.piece(id).value());
  return pieces;
}

TEST(PieceTrainer, WordPieceLearnsThePiecesOfTheTokenizersLibrary) {
  const std::vector<std::string> corpus = strings(golden().root().at("corpus"));
  std::size_t cases = 0;
  golden().root().at("word_piece").for_each_element([&](std::size_t, Json c) {
    const std::string json = train_tokenizer(corpus, {.kind = PieceKind::kWordPiece,
                                                      .size = c.at("size").integer(),
                                                      .lower_case = c.at("lower").boolean()});
    std::vector<std::string> found = pieces_of(Tokenizer::from_json(json, "trained"));
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, strings(c.at("pieces")));
    ++cases;
  });
  EXPECT_EQ(cases, 4U);
}

TEST(PieceTrainer, BytePairsEqualTheTokenizersLibraryInOrder) {
  const std::vector<std::string> corpus = strings(golden().root().at("corpus"));
  std::size_t cases = 0;
  golden().root().at("bpe").for_each_element([&](std::size_t, Json c) {
    const std::string text = train_tokenizer(corpus, {.kind = PieceKind::kBytePairs,
                                                      .size = c.at("size").integer(),
                                                      .least_count = c.at("least").integer()});
    EXPECT_EQ(pieces_of(Tokenizer::from_json(text, "trained")), strings(c.at("vocab")));
    const JsonDocument json = JsonDocument::parse(text, "trained");
    std::vector<std::vector<std::string>> found, expected;
    json.root().at("model").at("merges").for_each_element(
        [&](std::size_t, Json merge) { found.push_back(strings(merge)); });
    c.at("merges").for_each_element(
        [&](std::size_t, Json merge) { expected.push_back(strings(merge)); });
    EXPECT_EQ(found, expected);
    ++cases;
  });
  EXPECT_EQ(cases, 3U);
}

TEST(PieceTrainer, JoinsTheMostFrequentPairFirst) {
  // "aab" 3 times, "ab" twice: "a ##b" 2, "##a ##b" 3, "a ##a" 3; of the two with 3 the smaller
  // ids, those of a (0) and ##a (2), come first; then "aa ##b".
  const TrainedPieces trained = train_pieces({{"aab", 3}, {"ab", 2}}, {}, {}, "##", 100, 0);
  EXPECT_EQ(trained.pieces, (std::vector<std::string>{"a", "b", "##a", "##b", "aa", "aab", "ab"}));
}

TEST(PieceTrainer, ATrainedTokenizerSpellsAnyText) {
  const std::vector<std::string> corpus = {"The cat sat.", "A cat and a hat"};
  const Tokenizer words =
      Tokenizer::from_json(train_tokenizer(corpus, {.size = 60, .wrap = true}), "trained");
  const Encoding encoding = words.encode("cats");
  EXPECT_EQ(encoding.tokens.front().text, "[CLS]");
  EXPECT_EQ(encoding.tokens.back().text, "[SEP]");
  EXPECT_EQ(words.id("[MASK]"), 4);
  const Tokenizer bytes = Tokenizer::from_json(
      train_tokenizer(corpus, {.kind = PieceKind::kBytePairs, .size = 300}), "trained");
  EXPECT_FALSE(bytes.encode("日本 \x01").tokens.empty());
}

TEST(PieceTrainer, NamesAnEmptyCorpusAndASizeThatIsTooSmall) {
  EXPECT_THROW(train_tokenizer({}, {}), Error);
  EXPECT_THROW(train_tokenizer({"abc def"}, {.size = 10}), Error);
}

}  // namespace
}  // namespace regard
