// SPDX-License-Identifier: Apache-2.0
// Tests of text for terminals: what stands where, in how many columns, and that no text of a user
// reaches the terminal as a command. Widths are counted by hand.
#include "regard/render/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <set>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/render/labels.h"
#include "regard/render/paint.h"
#include "regard/render/test_views.h"

namespace regard {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Without colours and without isolates.
std::string bare(const std::string& text) {
  return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m|\u2068|\u2069"), "");
}

std::size_t widest_line(const std::string& text) {
  std::size_t width = 0;
  for (const std::string& line : lines_of(bare(text))) width = std::max(width, display_width(line));
  return width;
}

TEST(Terminal, PlainGridHasLabelsNumbersLinkAndNoteAndNoEscapes) {
  EXPECT_EQ(terminal_grid(small_view(), {}),
            "toy, layer 3, head 1 (L3H1), word level. Head: asked for.\n"
            "note: a note\n"
            "query (attends from) ↓   key (attended to) →\n"
            "    it, ran\n"
            "it, .25 .75\n"
            "ran 1.0 .00\n"
            "what stands out: query -> key, weight, head\n"
            "it, -> ran 0.68 L3H1\n");
}

TEST(Terminal, AGridOfManyWordsIsAPictureOfBlocks) {
  View view = view_of_words(300);
  std::fill(view.heads[0].weights.begin(), view.heads[0].weights.end(), 0.f);
  view.heads[0].weights[299 * 300] = 1;  // the last row's first key
  const std::vector<std::string> lines = lines_of(terminal_grid(view, {.columns = 60}));
  std::string caption;
  std::size_t at = 0;
  while (lines[at].find("query (attends from)") != 0) caption += lines[at++];
  EXPECT_THAT(caption, HasSubstr("Each of the 60 x 60  cells"));
  // 60 rows of cells, two a line; only the lower left corner is dark.
  ASSERT_GE(lines.size(), at + 31);
  for (std::size_t i = at + 1; i < at + 30; ++i) EXPECT_EQ(lines[i], "");
  EXPECT_EQ(display_width(lines[at + 30]), 1u);
}

TEST(Terminal, ACellPaintsItsOwnBackgroundDarkForTheLargestWeight) {
  const std::string text = terminal_grid(small_view(), {.colours = Colours::kTrue});
  // The two ends of the colour map, with black and with white text.
  EXPECT_THAT(text, HasSubstr("\x1b[48;2;7;19;49;38;2;255;255;255m1.0 \x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[48;2;247;250;253;38;2;0;0;0m.00 \x1b[0m"));
}

TEST(Terminal, EveryDepthOfColourHasTheSameText) {
  const std::string plain = bare(terminal_grid(small_view(), {.colours = Colours::k16}));
  EXPECT_EQ(plain, bare(terminal_grid(small_view(), {.colours = Colours::k256})));
  EXPECT_EQ(plain, bare(terminal_grid(small_view(), {.colours = Colours::kTrue})));
}

TEST(Terminal, SixteenColoursUseOnlyTheirNumbers) {
  const std::string text = terminal_grid(small_view(), {.colours = Colours::k16});
  EXPECT_THAT(text, HasSubstr("\x1b[40;97m1.0"));
  EXPECT_THAT(text, HasSubstr("\x1b[107;30m.00"));
  EXPECT_THAT(text, Not(HasSubstr("48;")));
}

TEST(Terminal, LightnessOf256ColoursFallsWithTheWeight) {
  // CIE L* of xterm's colours 255, 189, 153, 110, 68, 26, 20, 18 and 17.
  const std::vector<std::string> codes = {"255", "189", "153", "110", "68", "26", "20", "18", "17"};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_THAT(on_weight("x", static_cast<double>(i) / 8, Colours::k256),
                HasSubstr("48;5;" + codes[i] + ";"));
  }
}

TEST(Terminal, SixtyWordsFitEightyColumnsWithEveryLabelWholeAndOverItsColumn) {
  const std::string text =
      terminal_grid(view_of_words(60), {.columns = 80, .colours = Colours::kTrue});
  EXPECT_LE(widest_line(text), 80u);
  const std::vector<std::string> lines = lines_of(bare(text));
  // Row labels are six wide ("word10"), so column i stands at 7 + i.
  for (int i = 0; i < 60; ++i) {
    const std::string name = "word" + std::to_string(i);
    bool found = false;
    for (std::size_t row = 3; row < 12; ++row) {
      std::size_t column = 0;
      const std::string& line = lines[row];
      const std::size_t at = line.find(name);
      if (at == std::string::npos) continue;
      column = display_width(line.substr(0, at));
      if (column == 7 + static_cast<std::size_t>(i)) found = true;
    }
    EXPECT_TRUE(found) << name << "\n" << bare(text);
  }
}

TEST(Terminal, NoLineIsWiderThanTheTerminal) {
  for (const int words : {1, 2, 7, 13, 14, 30, 61, 100}) {
    for (const int columns : {20, 40, 80, 120, 200}) {
      for (const Colours colours : {Colours::kNone, Colours::k256}) {
        View view = view_of_words(words);
        const TerminalStyle style{.columns = columns, .colours = colours};
        const auto limit = static_cast<std::size_t>(columns);
        // Headings are not broken.
        view.links.clear();
        const std::string text = terminal_grid(view, style);
        EXPECT_LE(widest_line(text), std::max<std::size_t>(limit, 44)) << words << "\n" << text;
        EXPECT_LE(widest_line(terminal_row(view, 0, style)), std::max<std::size_t>(limit, 28));
        EXPECT_LE(widest_line(terminal_heads(view, style)), std::max<std::size_t>(limit, 44));
      }
    }
  }
}

TEST(Terminal, KeysThatDoNotFitStandInBlocksThatHoldEachKeyOnce) {
  const std::string text = terminal_grid(view_of_words(30), {.columns = 80});
  // 80 = 7 of the row label and 18 cells of 4.
  EXPECT_THAT(text, HasSubstr("keys 0 to 17 of 30\n"));
  EXPECT_THAT(text, HasSubstr("keys 18 to 29 of 30\n"));
}

TEST(Terminal, APipeHasNoBlocks) {
  const std::string text = terminal_grid(view_of_words(100), {.columns = 0});
  EXPECT_THAT(text, Not(HasSubstr("keys ")));
  EXPECT_EQ(lines_of(text).size(), 3u + 100u);
}

TEST(Terminal, WideCharactersTakeTwoColumnsInLabels) {
  // "日本語" is six columns, so its cell is seven.
  const std::string text = terminal_grid(view_of({"日本語", "of"}), {});
  EXPECT_THAT(text, HasSubstr("\n       日本語 of\n日本語 .50    .50\n    of .50    .50\n"));
}

TEST(Terminal, ACombiningMarkStaysWithItsLetterWhenALabelIsCut) {
  EXPECT_EQ(cut_to("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(cut_to("日本語", 4), "日…");
}

TEST(Terminal, RightToLeftLabelsAreIsolatedOnATerminalOnly) {
  const View view = view_of({"שלום", "of"});
  EXPECT_THAT(terminal_grid(view, {.colours = Colours::k256}), HasSubstr("\u2068שלום\u2069"));
  EXPECT_THAT(terminal_grid(view, {}), Not(HasSubstr("\u2068")));
}

TEST(Terminal, NoCharacterOfTheTextCommandsTheTerminalOrTurnsTheLine) {
  const std::string evil = "a\x1b]0;t\x07\u009b31m\u202eb\t\n\r\x7f";
  View view = view_of({evil, ""});
  view.model = evil;
  view.heads[0].why = evil;
  view.links.push_back({0, 1, 0.5f, {3, 1}});
  view.notes.push_back(evil);
  for (const Colours colours : {Colours::kNone, Colours::kTrue}) {
    const TerminalStyle style{.colours = colours};
    for (const std::string& text :
         {terminal_grid(view, style), terminal_row(view, 0, style), terminal_heads(view, style)}) {
      const std::string left = bare(text);
      for (const char c : left) {
        EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << static_cast<int>(c);
      }
      EXPECT_THAT(left, Not(HasSubstr("\x7f")));
      EXPECT_THAT(left, Not(HasSubstr("\u009b")));
      EXPECT_THAT(left, Not(HasSubstr("\u202e")));
    }
  }
}

TEST(Terminal, ARowIsBarsInProportionAndItsLinks) {
  View view = small_view();
  view.links[0].query = 0;
  EXPECT_EQ(terminal_row(view, 0, {.columns = 20}),
            "toy, layer 3, head 1\n"
            "  (L3H1), word\n"
            "  level. Linear\n"
            "  scale from 0 to\n"
            "  0.75, the largest\n"
            "  weight of the row.\n"
            "  Head: asked for.\n"
            "note: a note\n"
            "query (attends from): it,\n"
            "key (attended to)\n"
            "it, 0.250 ###\n"
            "ran 0.750 ##########\n"
            "what stands out: query -> key, weight, head\n"
            "it, -> ran 0.68 L3H1\n");
  EXPECT_THROW(terminal_row(view, 2, {}), Error);
}

TEST(Terminal, ThePageOfHeadsNamesThemAndItsPooling) {
  View view = view_of_words(20);
  view.heads.push_back(view.heads[0]);
  view.heads[1].id = HeadId{0, 0};
  view.heads[1].weights.assign(400, 0.f);
  view.heads[1].weights[19 * 20 + 0] = 0.5f;  // the lower left corner
  const std::string text = terminal_heads(view, {.columns = 80});
  EXPECT_THAT(text, HasSubstr("2 heads"));
  EXPECT_THAT(text, HasSubstr("H0"));
  EXPECT_THAT(text, HasSubstr("\nL3\n"));
  const std::string all = std::regex_replace(text, std::regex("\n *"), " ");
  EXPECT_THAT(all, HasSubstr("Each of the 16 x 16 cells is the largest weight of its block."));
  EXPECT_THAT(all, HasSubstr("Linear scale from 0 to 0.5"));
  // Half of the lowest pair of cells is 0.5 of 0.5: the middle shade.
  EXPECT_THAT(text, HasSubstr("▒"));
}

TEST(Terminal, AnOddNumberOfCellsLeavesTheLowerHalfUnpainted) {
  const std::string text = terminal_heads(view_of_words(1), {.colours = Colours::k256});
  EXPECT_THAT(text, HasSubstr("\x1b[38;5;17m▀\x1b[0m"));
}

TEST(Terminal, WhatIsNoNumberDrawsNoBarAndNoShade) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Colours colours : {Colours::kNone, Colours::kTrue})
    EXPECT_EQ(bar(nan, 20, colours), "");
  EXPECT_EQ(two_cells(nan, 1, Colours::kNone), " ");
  EXPECT_EQ(bar(7, 3, Colours::kNone), "###");
}

TEST(Terminal, ANumberTakesThreeColumnsWhateverItIs) {
  const std::pair<float, const char*> expected[] = {
      {0.0f, ".00"},   {0.684f, ".68"},  {0.999f, "1.0"},  {1.0f, "1.0"},   {9.96f, "10"},
      {12.3f, "12"},   {1234.5f, "1e3"}, {999.4f, "999"},  {-0.75f, "-.8"}, {-1.25f, "-1"},
      {-99.4f, "-99"}, {1e12f, "###"},   {-1234.0f, "###"}};
  for (const auto& [weight, text] : expected) EXPECT_EQ(short_number(weight), text) << weight;
  EXPECT_EQ(short_number(std::numeric_limits<float>::quiet_NaN()), "nan");
}

TEST(Terminal, AViewWhoseMapHasAnotherShapeIsAnError) {
  View view = small_view();
  view.heads[0].rows = 3;
  EXPECT_THROW(terminal_grid(view, {}), Error);
  view.heads.clear();
  EXPECT_THROW(terminal_grid(view, {}), Error);
}

Explanation hand_made(double shift) {
  Explanation e;
  e.head = {3, 1};
  e.dim = 1;
  e.score.scale = 0.5f;
  // exp(0) + exp(-log 3): weights 3/4 and 1/4.
  e.lse = shift + std::log(4.0 / 3);
  for (const double logit : {shift, shift - std::log(3.0)}) {
    Explanation::Step step;
    step.token = static_cast<std::int64_t>(e.steps.size());
    step.key = step.product = {1};
    step.dot = 2 * logit;
    step.scaled = logit;
    step.weight = std::exp(logit - e.lse);
    e.steps.push_back(step);
  }
  return e;
}

TEST(TerminalExplanation, LogitsOfAThousandAreWorkedThroughWithoutInfinity) {
  Trace trace;
  trace.model = "toy";
  trace.tokens = small_view().tokens;
  trace.notes = {"L3H1: asked for"};
  const std::string text = terminal_explanation(trace, hand_made(1000), {});
  EXPECT_THAT(text, Not(HasSubstr("inf")));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  EXPECT_THAT(text, HasSubstr("note: L3H1: asked for"));
  EXPECT_THAT(text, HasSubstr("largest logit = 1000.0000, taken away"));
  EXPECT_THAT(text, HasSubstr(" 0.3333  0.2500"));
  EXPECT_THAT(text, HasSubstr("weight = exp(logit-max) / 1.333"));
}

template <typename T>
TensorView view_of(DType type, Shape shape, const T& values) {
  return {type, std::move(shape), reinterpret_cast<const std::byte*>(&values)};
}

TEST(TerminalExplanation, NamesEveryTermAndMaskOfTheScore) {
  const float query[2] = {1, 1}, key[2] = {2, 1}, slope[1] = {0.25f}, sink[1] = {-1.5f};
  const float bias[3] = {}, relative[2] = {};
  const std::int32_t slot[3] = {};
  const double lse[2] = {};
  const std::uint8_t blocks[1] = {1};
  Explanation e = hand_made(0);
  e.score.cap = 30;
  e.score.causal = true;
  e.score.window = 7;
  e.score.chunk = 9;
  e.score.prefix = 3;
  e.score.alibi = Alibi::kDistance;
  Trace trace;
  trace.tokens = small_view().tokens;
  trace.key_valid = {1, 1};
  LayerTrace layer;
  layer.layer = 3;
  layer.head_ids = {1};
  layer.kv_of = {0};
  layer.queries = layer.keys = 2;
  layer.dim = 1;
  layer.score = e.score;
  layer.query = view_of(DType::kF32, {1, 2, 1}, query);
  layer.key = view_of(DType::kF32, {1, 2, 1}, key);
  layer.lse = view_of(DType::kF64, {1, 2}, lse);
  layer.alibi_slopes = view_of(DType::kF32, {1}, slope);
  layer.sinks = view_of(DType::kF32, {1}, sink);
  layer.bias = view_of(DType::kF32, {1, 3}, bias);
  layer.query_relative = layer.key_relative = view_of(DType::kF32, {1, 2, 1}, relative);
  layer.relative_slot = view_of(DType::kI32, {3}, slot);
  layer.blocks = view_of(DType::kU8, {1, 1}, blocks);
  trace.layers.emplace(3, layer);
  const std::string text = terminal_explanation(trace, e, {});
  for (const char* part :
       {"(q.k + q.(relative position's key) + k.(relative position's\n  query)), scale 0.5",
        "cap 30", "bias(key - query)", "slope 0.25", "only keys up to the query", "first 3 keys",
        "less than 7 tokens", "chunk of 9", "blocks of 64", "no padding", "sink logit -1.5"})
    EXPECT_THAT(text, HasSubstr(part));
  trace.layers.clear();
  EXPECT_THAT(terminal_explanation(trace, hand_made(0), {}),
              HasSubstr("logit = scale * q.k, scale 0.5\n"));
}

TEST(TerminalExplanation, AFullyMaskedRowIsWeightsOfZero) {
  Trace trace;
  trace.tokens = small_view().tokens;
  Explanation e = hand_made(0);
  for (Explanation::Step& step : e.steps) step.masked = true;
  e.lse = -std::numeric_limits<double>::infinity();
  const std::string text = terminal_explanation(trace, e, {});
  EXPECT_THAT(text, HasSubstr("every key is masked"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace regard
