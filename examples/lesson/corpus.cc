// SPDX-License-Identifier: Apache-2.0
// lesson_corpus: writes the corpus of the built-in model and the sentences that test it, the same
// for the same seed. README.md says how to use it, docs/lesson-model.md what came of it.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "grammar.h"
#include "lexicon.h"
#include "regard/platform/error.h"
#include "regard/platform/output_file.h"
#include "splits.h"

namespace regard::lesson {
namespace {

std::string json_line(const Document& document) {
  std::vector<std::size_t> begin;
  const std::string text = text_of(document, &begin);
  std::string line = fmt::format("{{\"text\": \"{}\"", text);
  if (document.distance > 0) {
    static constexpr std::array<std::pair<Tag, const char*>, 4> kNames = {
        {{Tag::kPronoun, "pronoun"},
         {Tag::kAntecedent, "antecedent"},
         {Tag::kProperty, "property"},
         {Tag::kOther, "other"}}};
    for (const auto& [tag, name] : kNames)
      for (std::size_t i = 0; i < begin.size(); ++i)
        if (document.words[i].tag == tag)
          line += fmt::format(", \"{}\": [{}, {}]", name, begin[i],
                              begin[i] + document.words[i].text.size());
    line += fmt::format(", \"distance\": {}, \"frame\": \"{}\", \"clause\": \"{}\"",
                        document.distance, document.frame, document.clause);
  }
  return line + "}\n";
}

int run(int argc, char** argv) {
  CLI::App app{
      "Writes the corpus of the built-in model, one document a line.\n\n"
      "  lesson_corpus --split train --seed 1 --documents 280000 --ramp 27000:54000 -o train.txt\n"
      "  lesson_corpus --split combinations --seed 2 --documents 2000 --json -o test.jsonl"};
  std::string lexicon_file = REGARD_LESSON_LEXICON, split_name = "train", output, words;
  std::uint64_t seed = 1;
  std::int64_t documents = 2000;
  std::string ramp;
  bool json = false;
  app.add_option("--lexicon", lexicon_file, "the language's words")->capture_default_str();
  app.add_option(
         "--split", split_name,
         "train, seen, combinations, clauses, distractors, far or validation, the last also "
         "with -clauses, -distractors or -far")
      ->capture_default_str();
  app.add_option("--seed", seed)->capture_default_str();
  app.add_option("--documents", documents)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--ramp", ramp,
                 "A:B: no adjuncts before document A, as many as planned from B on, more and more "
                 "between");
  app.add_flag("--json", json, "JSON lines, with the bytes of pronoun, antecedent and property");
  app.add_option("--words", words, "write every word with its part of speech to this file instead");
  app.add_option("-o,--output", output, "file to write; default: standard output");
  CLI11_PARSE(app, argc, argv);

  const Lexicon lexicon = Lexicon::read(lexicon_file);
  if (!words.empty()) {
    OutputFile file(words);
    for (const auto& [word, part] : lexicon.words) file.write(word + "\t" + part + "\n");
    file.commit();
    return 0;
  }
  const std::vector<Split> all = splits();
  const auto split = std::find_if(all.begin(), all.end(),
                                  [&](const Split& one) { return one.name == split_name; });
  if (split == all.end())
    throw Error(
        "--split: expected train, seen, combinations, clauses, distractors, far or validation "
        "(also with -clauses, -distractors or -far), found " +
            split_name,
        Error::Kind::kUsage);
  long long ramp_begin = 0, ramp_end = 0;
  if (!ramp.empty() && (std::sscanf(ramp.c_str(), "%lld:%lld", &ramp_begin, &ramp_end) != 2 ||
                        ramp_begin < 0 || ramp_end <= ramp_begin))
    throw Error("--ramp: expected A:B with 0 <= A < B, found " + ramp, Error::Kind::kUsage);
  Grammar grammar(lexicon, seed);
  OutputFile file(output.empty() ? "/dev/stdout" : output);
  for (std::int64_t i = 0; i < documents;) {
    Style style = split->style;
    if (ramp_end > 0)
      style.adjuncts = std::clamp(
          static_cast<double>(i - ramp_begin) / static_cast<double>(ramp_end - ramp_begin), 0.0,
          1.0);
    const Document document = grammar.make(style);
    if (!fits(document, *split)) continue;
    ++i;
    std::vector<std::size_t> begin;
    file.write(json ? json_line(document) : text_of(document, &begin) + "\n");
  }
  file.commit();
  return 0;
}

}  // namespace
}  // namespace regard::lesson

int main(int argc, char** argv) {
  try {
    return regard::lesson::run(argc, argv);
  } catch (const regard::Error& error) {
    fmt::print(stderr, "lesson_corpus: {}\n", error.what());
    return error.kind() == regard::Error::Kind::kUsage ? 2 : 1;
  }
}
