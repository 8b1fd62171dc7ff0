// SPDX-License-Identifier: Apache-2.0
// Runs: learning, continuing bit for bit, what is chosen and swapped, and bad input.
#include "regard/training/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "regard/model/model.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/testing.h"
#include "regard/tokenizer/piece_trainer.h"
#include "regard/training/new_model.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

// Sentences of a tiny language: the verb follows from the noun.
std::vector<std::string> sentences(int count) {
  const char* nouns[] = {"dog", "cat", "bird", "fish"};
  const char* verbs[] = {"barks", "purrs", "sings", "swims"};
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::string("the ") + nouns[i % 4] + (i % 3 == 0 ? " never " : " ") +
                  verbs[i % 4] + (i % 2 == 0 ? " here ." : " ."));
  return out;
}

struct Plan {
  explicit Plan(const fs::path& folder, const std::string& architecture = "modernbert") {
    documents = sentences(60);
    const PieceKind kind =
        predicts_next(architecture) ? PieceKind::kBytePairs : PieceKind::kWordPiece;
    tokenizer = train_tokenizer(documents, {.kind = kind, .size = 290});
    const Tokenizer opened = Tokenizer::from_json(tokenizer, "tokenizer");
    config = new_config(
        {.architecture = architecture, .width = 32, .layers = 2, .heads = 2, .positions = 32},
        opened.vocabulary_size(), 0, 0);
    corpus = encode(opened, documents, 32);
    held_out = split_held_out(&corpus, 0.2);
    options.folder = folder.string();
    options.batch = 8;
    options.schedule = {.rate = 5e-3, .warm_up = 5, .steps = 30, .hold = 0.5, .last = 0.1};
    options.save_every = 10;
    options.evaluate_every = 15;
    if (!predicts_next(architecture)) options.corruption = plain_corruption(opened, 0.3);
  }
  TrainingRun run(bool resume) const {
    Random random(options.seed);
    return TrainingRun(Trainable::create(config, {.embedding = 0.1f, .weight = 0.06f}, &random),
                       corpus, held_out, tokenizer, options, resume);
  }
  std::vector<std::string> documents;
  std::string tokenizer, config;
  Corpus corpus, held_out;
  RunOptions options;
};

std::string bytes_of(const fs::path& path) { return read_text_file(path.string(), 1 << 26); }

// Losses by step.
std::vector<std::string> losses_of(const fs::path& folder) {
  std::vector<std::string> losses;
  std::ifstream in(folder / "metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    losses.push_back(line.substr(0, line.find("\"tokens_per_second\"")));
  return losses;
}

TEST(TrainingRun, LearnsWithEveryArchitecture) {
  for (const std::string& architecture : new_architectures()) {
    SCOPED_TRACE(architecture);
    const TemporaryFolder folder;
    const Plan setup(folder.path(), architecture);
    TrainingRun run = setup.run(false);
    const double before = run.held_out_loss().value();
    run.train();
    EXPECT_LT(run.held_out_loss().value(), 0.6 * before);
    EXPECT_EQ(losses_of(folder.path()).size(), 30U);
    const Model saved = Model::open(folder.path().string());
    EXPECT_TRUE(saved.has_language_head());
    EXPECT_TRUE(fs::exists(folder.path() / "checkpoints/step-00000000/tokenizer.json"));
    EXPECT_TRUE(fs::exists(folder.path() / "checkpoints/step-00000030/model.safetensors"));
  }
}

// Each document is one step's once an epoch, and those of a step are about as long.
TEST(TrainingRun, GroupsDocumentsByLength) {
  const TemporaryFolder folder;
  Plan setup(folder.path());
  // Documents of 1 to 8 tokens, in turns.
  setup.corpus = {};
  for (int i = 0; i < 64; ++i) {
    setup.corpus.ids.insert(setup.corpus.ids.end(), static_cast<std::size_t>(i % 8 + 1), 7);
    setup.corpus.starts.push_back(std::ssize(setup.corpus.ids));
  }
  setup.options.schedule.steps = 16;  // two epochs
  setup.options.group = 8;
  setup.run(false).train();
  std::map<std::int64_t, int> tokens;
  std::vector<std::int64_t> order;
  for (const StepMetrics& line : read_metrics(folder.path().string())) {
    ++tokens[line.tokens];
    order.push_back(line.tokens);
  }
  std::map<std::int64_t, int> expected;
  for (int length = 1; length <= 8; ++length) expected[8 * length] = 2;
  EXPECT_EQ(tokens, expected);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.begin() + 8));
}

TEST(TrainingRun, GoesOnBitForBit) {
  const TemporaryFolder whole, cut;
  const Plan once(whole.path());
  once.run(false).train();
  // Stopped after step 17 as by a kill: what came after the save of step 10 is lost.
  Plan twice(cut.path());
  {
    TrainingRun run = twice.run(false);
    try {
      run.train([](const StepReport& report) {
        if (report.metrics.step == 17) throw std::runtime_error("killed");
      });
      FAIL();
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT_EQ(losses_of(cut.path()).size(), 17U);
  TrainingRun run = twice.run(true);
  EXPECT_EQ(run.step(), 10);
  run.train();
  EXPECT_EQ(bytes_of(cut.path() / "model.safetensors"),
            bytes_of(whole.path() / "model.safetensors"));
  EXPECT_EQ(bytes_of(cut.path() / "state.safetensors"),
            bytes_of(whole.path() / "state.safetensors"));
  EXPECT_EQ(losses_of(cut.path()), losses_of(whole.path()));
}

TEST(TrainingRun, StopsAfterTheStepAndSaysWhere) {
  const TemporaryFolder folder;
  const Plan setup(folder.path());
  CancelToken cancel;
  {
    TrainingRun run = setup.run(false);
    const std::string error = error_of([&] {
      run.train(
          [&](const StepReport& report) {
            if (report.metrics.step == 6) cancel.cancel();
          },
          &cancel);
    });
    EXPECT_NE(error.find("stopped after step 7 of 30"), std::string::npos) << error;
    EXPECT_NE(error.find(folder.path().string()), std::string::npos) << error;
    const std::string second = error_of([&] { setup.run(true); });
    EXPECT_NE(second.find("another process"), std::string::npos) << second;
  }
  EXPECT_EQ(setup.run(true).step(), 7);
}

TEST(TrainingRun, AccumulatesPassesIntoAStep) {
  const TemporaryFolder one, two;
  Plan whole(one.path()), parts(two.path());
  whole.options.corruption.reset();
  parts.options.corruption.reset();
  const Plan causal(one.path(), "gpt2");
  for (Plan* setup : {&whole, &parts}) {
    setup->config = causal.config;
    setup->tokenizer = causal.tokenizer;
    setup->corpus = causal.corpus;
    setup->held_out = {};
    setup->options.schedule.steps = 1;
  }
  parts.options.batch = 2;
  parts.options.accumulate = 4;
  TrainingRun a = whole.run(false), b = parts.run(false);
  a.train();
  b.train();
  for (std::size_t i = 0; i < a.model().values().size(); ++i)
    ASSERT_NEAR(a.model().values()[i], b.model().values()[i], 1e-3);
}

TEST(TrainingRun, NamesTheStepAndKeepsTheLastCheckpointWhenALossIsNoNumber) {
  const TemporaryFolder folder;
  Plan setup(folder.path());
  setup.options.schedule = {.rate = 1e30, .steps = 50};
  setup.options.optimizer.clip = 0;
  setup.options.save_every = 1;
  TrainingRun run = setup.run(false);
  const std::string error = error_of([&] { run.train(); });
  EXPECT_NE(error.find("step "), std::string::npos) << error;
  EXPECT_NE(error.find("expected finite"), std::string::npos) << error;
  const std::string words = "last good checkpoint is ";
  ASSERT_NE(error.find(words), std::string::npos) << error;
  const Trainable good = Trainable::open(error.substr(error.find(words) + words.size()));
  const Batch batch = masked_batch(setup.corpus, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5},
                                   *setup.options.corruption, 0, std::make_unique<Random>(1).get());
  EXPECT_TRUE(std::isfinite(loss_of(good.model(), batch)));
}

TEST(TrainingRun, RefusesAnotherConfigurationAndAFolderThatHoldsARun) {
  const TemporaryFolder folder;
  Plan setup(folder.path());
  setup.options.schedule.steps = 2;
  setup.run(false).train();
  EXPECT_NE(error_of([&] { setup.run(false); }).find("--resume"), std::string::npos);
  Plan other = setup;
  other.options.schedule.rate = 1;
  EXPECT_NE(error_of([&] { other.run(true); }).find("rate"), std::string::npos);
  other = setup;
  other.corpus.ids[0] ^= 1;
  EXPECT_NE(error_of([&] { other.run(true); }).find("corpus"), std::string::npos);
}

TEST(TrainingRun, RefusesACorpusThatIsEmptyOrSmallerThanABatch) {
  const TemporaryFolder folder;
  Plan setup(folder.path());
  setup.options.batch = 1000;
  EXPECT_NE(error_of([&] { setup.run(false); }).find("1000"), std::string::npos);
  setup.corpus = {};
  EXPECT_NE(error_of([&] { setup.run(false); }).find("found none"), std::string::npos);
}

TEST(TrainingCorpus, FallsIntoDocuments) {
  std::vector<std::string> documents;
  add_documents("a b\r\n\n  \nc\nd", "f", DocumentRule::kLines, &documents);
  EXPECT_EQ(documents, (std::vector<std::string>{"a b", "c", "d"}));
  documents.clear();
  add_documents("a b\r\n\n  \nc\nd", "f", DocumentRule::kBlankLines, &documents);
  EXPECT_EQ(documents, (std::vector<std::string>{"a b", "c\nd"}));
  const std::string error =
      error_of([&] { add_documents("ab\xff", "f", DocumentRule::kLines, &documents); });
  EXPECT_NE(error.find("f: byte 2"), std::string::npos) << error;
}

TEST(TrainingObjective, PredictsTheNextTokenWithinEachText) {
  Corpus corpus;
  corpus.ids = {5, 6, 7, 8, 9};
  corpus.starts = {0, 3, 5};
  const std::int64_t which[] = {1, 0};
  const Batch batch = causal_batch(corpus, which);
  EXPECT_EQ(batch.input.ids, (std::vector<std::int64_t>{8, 9, 5, 6, 7}));
  EXPECT_EQ(batch.input.starts, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(batch.position, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_EQ(batch.target, (std::vector<std::int64_t>{9, 6, 7}));
}

TEST(TrainingObjective, ClassesSayWhatIsChosenAndPutInstead) {
  const std::vector<std::string> documents(1, "the dog saw the cat and the dog ran to it");
  const std::string text = train_tokenizer(documents, {.size = 60});
  const Tokenizer tokenizer = Tokenizer::from_json(text, "tokenizer");
  const auto id = [&](const char* word) { return tokenizer.encode_plain(word).tokens.at(0).id; };
  const JsonDocument json = JsonDocument::parse(R"({"mask": 0.25, "swap": 0.5, "classes": {
      "noun": {"words": ["dog", "cat", "elephants"], "choose": 0.1, "repeated": 0.8, "last": 0.75,
               "swap_with": {"pronoun": 1}},
      "pronoun": {"words": ["it"], "choose": 0.6, "swap_with": {"noun": 1}}}})",
                                                "c.json");
  const Corruption corruption = read_corruption(json.root(), tokenizer);
  EXPECT_EQ(corruption.unknown_words, 1);
  const Corpus corpus = encode(tokenizer, documents, 100);
  std::map<std::int64_t, int> chosen, masked, swapped;
  constexpr int kRounds = 20000;
  Random random(1);
  const std::int64_t which[] = {0};
  for (int i = 0; i < kRounds; ++i) {
    const Batch batch = masked_batch(corpus, which, corruption, 0, &random);
    for (std::size_t k = 0; k < batch.position.size(); ++k) {
      const std::int64_t at = batch.position[k];
      const std::int64_t now = batch.input.ids[static_cast<std::size_t>(at)];
      EXPECT_EQ(batch.target[k], corpus.ids[static_cast<std::size_t>(at)]);
      ++chosen[at];
      if (now == corruption.mask)
        ++masked[at];
      else if (now != batch.target[k]) {
        ++swapped[at];
        if (batch.target[k] != id("it"))
          EXPECT_EQ(now, id("it"));
        else
          EXPECT_TRUE(now == id("dog") || now == id("cat"));
      }
    }
  }
  std::map<std::int64_t, double> expected;
  std::vector<std::int64_t> dogs;
  for (std::int64_t i = 0; i < std::ssize(corpus.ids); ++i) {
    if (corpus.ids[static_cast<std::size_t>(i)] == id("dog")) dogs.push_back(i);
    if (corpus.ids[static_cast<std::size_t>(i)] == id("cat")) expected[i] = 0.1;
    if (corpus.ids[static_cast<std::size_t>(i)] == id("it")) expected[i] = 0.6;
  }
  ASSERT_EQ(dogs.size(), 2U);
  expected[dogs[0]] = 0.25 * 0.8;
  expected[dogs[1]] = 0.75 * 0.8;
  EXPECT_EQ(chosen.size(), expected.size());
  for (const auto& [at, chance] : expected) {
    EXPECT_NEAR(chosen[at], kRounds * chance, 300) << at;
    EXPECT_NEAR(masked[at], kRounds * chance * 0.25, 250) << at;
    EXPECT_NEAR(swapped[at], kRounds * chance * 0.5, 250) << at;
  }
}

TEST(TrainingObjective, NoiseGapsAndSpellingComeAsOftenAsAFileSays) {
  const std::vector<std::string> documents(1, "the dog saw the cat");
  const Tokenizer tokenizer =
      Tokenizer::from_json(train_tokenizer(documents, {.size = 60}), "tokenizer");
  const JsonDocument json = JsonDocument::parse(R"({"classes": {
      "noun": {"words": ["dog", "cat"], "choose": 0}, "other": {"words": ["the"], "choose": 0}},
      "noise": {"documents": 0.5, "replace": 0.4, "mask": 0.25, "from": 0.6, "classes": ["other"]},
      "gaps": {"batches": 0.5, "most": 0.8, "longest": 4},
      "spelt": {"documents": 0.3, "classes": ["noun"]}})",
                                                "c.json");
  const Corruption c = read_corruption(json.root(), tokenizer);
  const Corpus corpus = encode(tokenizer, documents, 100);
  const std::vector<std::int64_t> text(corpus.ids.begin(), corpus.ids.end());
  const auto id = [&](const char* piece) { return tokenizer.id(piece).value(); };
  const std::vector<std::int64_t> dog = {id("d"), id("##o"), id("##g")},
                                  cat = {id("c"), id("##a"), id("##t")};
  constexpr int kRounds = 20000;
  Random random(3);
  const std::int64_t which[] = {0};
  int spelt = 0, masked = 0, gapped = 0;
  std::int64_t left_out = 0;
  for (int i = 0; i < kRounds; ++i) {
    const Batch batch = masked_batch(corpus, which, c, 0.6, &random);
    std::vector<std::int64_t> ids = batch.input.ids;
    EXPECT_TRUE(batch.position.empty());
    for (const auto& [word, letters] : {std::pair{id("dog"), dog}, {id("cat"), cat}}) {
      const auto at = std::search(ids.begin(), ids.end(), letters.begin(), letters.end());
      if (at == ids.end()) continue;
      ++spelt;
      *at = word;
      ids.erase(at + 1, at + 3);
    }
    ASSERT_EQ(ids.size(), text.size());
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (ids[k] == text[k]) continue;
      EXPECT_EQ(text[k], id("the"));  // "the" alone makes noise, by itself or the mask
      EXPECT_EQ(ids[k], c.mask);
      ++masked;
    }
    if (batch.input.positions.empty()) continue;
    ++gapped;
    ASSERT_EQ(batch.input.positions.size(), batch.input.ids.size());
    std::int64_t before = -1;
    for (const std::int64_t position : batch.input.positions) {
      EXPECT_GE(position - before, 1);
      EXPECT_LE(position - before, 3);
      left_out += position - before - 1;
      before = position;
    }
  }
  EXPECT_NEAR(spelt, kRounds * 0.3, 300);
  EXPECT_NEAR(masked, kRounds * 0.5 * 2 * 0.4 * 0.25, 250);
  EXPECT_NEAR(gapped, kRounds * 0.5, 300);
  // A mean of 0.4 of the steps are 1, 2 or 3 alike; 5.6 tokens a text.
  EXPECT_NEAR(static_cast<double>(left_out), gapped * 5.6 * 0.4, gapped * 0.15);
  // Before its time there is no noise.
  for (int i = 0; i < 2000; ++i) {
    const Batch batch = masked_batch(corpus, which, c, 0.59, &random);
    EXPECT_FALSE(std::count(batch.input.ids.begin(), batch.input.ids.end(), c.mask));
  }
}

TEST(TrainingObjective, NamesWhatIsWrongWithAFileOfClasses) {
  const std::string text = train_tokenizer({"the dog"}, {.size = 30});
  const Tokenizer tokenizer = Tokenizer::from_json(text, "tokenizer");
  for (const char* bad :
       {R"({"classes": {"a": {"words": ["dog"], "chose": 1}}})",
        R"({"classes": {"a": {"words": []}}})", R"({"mask": 0.8, "swap": 0.8, "classes": {}})",
        R"({"classes": {"a": {"words": ["dog"], "swap_with": {"b": 1}}}})", R"({})",
        R"({"classes": {"a": {"words": ["dog"], "choose": 2}}})",
        R"({"classes": {"a": {"words": ["dog"]}}, "noise": {"classes": ["b"]}})",
        R"({"classes": {"a": {"words": ["dog"]}}, "noise": {"classes": []}})",
        R"({"classes": {"a": {"words": ["dog"]}}, "gaps": {"longest": 1}})",
        R"({"classes": {"a": {"words": ["dog"]}}, "spelt": {"documents": 0.1}})"}) {
    const JsonDocument json = JsonDocument::parse(bad, "c.json");
    EXPECT_NE(error_of([&] { read_corruption(json.root(), tokenizer); }).find("c.json"),
              std::string::npos)
        << bad;
  }
}

}  // namespace
}  // namespace regard
