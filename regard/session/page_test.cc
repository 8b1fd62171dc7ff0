// SPDX-License-Identifier: Apache-2.0
// The page that holds its runs: nothing in a text is markup, and the trace comes back bit for bit.
#include "regard/session/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "regard/platform/json.h"
#include "regard/platform/output_file.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

constexpr std::string_view kHostile = "</script><!--<script>alert(1)</script>";

void write_file(const std::string& path, std::string_view bytes) {
  OutputFile file(path);
  file.write(bytes);
  file.commit();
}

// A trace of ready-made weights, whose second label is hostile.
Trace hostile(const Session& session, const TemporaryFolder& folder) {
  const std::vector<float> weights = {0.5f, 0.25f, 0.25f, 0, 1, 0, 0.125f, 0.25f, 0.625f};
  const Shape shape = {3, 3};
  write_file((folder.path() / "a.npy").string(),
             npy_header(shape) + std::string(reinterpret_cast<const char*>(weights.data()),
                                             weights.size() * sizeof(float)));
  write_file((folder.path() / "w.txt").string(),
             "one\n" + std::string(kHostile) + "\n\"three\" & more\n");
  return session.from_matrices((folder.path() / "a.npy").string(),
                               (folder.path() / "w.txt").string());
}

std::string page_of(const Session& session, const Trace& trace, const PageOptions& options = {}) {
  std::string page;
  write_page(session, {{.trace = &trace}}, options, [&](std::string_view part) { page += part; });
  return page;
}

// What lies in the script element that begins with `opening`.
std::string script(const std::string& page, std::string_view opening) {
  const std::size_t begin = page.find(opening);
  if (begin == std::string::npos) return "";
  const std::size_t from = page.find('>', begin) + 1;
  return page.substr(from, page.find("</script>", from) - from);
}

// RFC 4648 by the definition.
std::string from_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    held = held << 6 | static_cast<unsigned>(kDigits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(held >> bits & 255);
  }
  return out;
}

TEST(Page, HoldsATextThatIsMarkupWithoutBecomingMarkup) {
  const TemporaryFolder folder;
  const Session session{Settings()};
  const Trace trace = hostile(session, folder);
  const std::string page = page_of(session, trace);
  EXPECT_EQ(page.find(kHostile), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  const auto document =
      JsonDocument::parse(script(page, "<script type=\"application/json\""), "page");
  const Json info = document.root().at("info");
  bool found = false;
  info.at("sides").for_each_element([&](std::size_t, Json side) {
    side.at("words").for_each_element(
        [&](std::size_t, Json word) { found |= word.at("text").string() == kHostile; });
  });
  EXPECT_TRUE(found);
}

TEST(Page, HoldsTheTraceBitForBit) {
  const TemporaryFolder folder;
  const Session session{Settings()};
  const Trace trace = hostile(session, folder);
  const std::string page = page_of(session, trace);
  std::string file;
  write_trace(trace, [&](std::string_view part) { file += part; });
  EXPECT_EQ(from_base64(script(page, "<script type=\"application/octet-stream\"")), file);
}

TEST(Page, AsksForNothingOutsideAndOpensWithTheLessonWhenAsked) {
  const TemporaryFolder folder;
  const Session session{Settings()};
  const Trace trace = hostile(session, folder);
  const std::string page = page_of(session, trace);
  EXPECT_NE(page.find("Content-Security-Policy\" content=\"default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.find("href=\"page.css\""), std::string::npos);
  EXPECT_EQ(page.find("src=\"page.js\""), std::string::npos);
  EXPECT_EQ(page.find("name=\"regard-start\""), std::string::npos);
  const std::string lesson = page_of(session, trace, {.lesson = true});
  EXPECT_NE(lesson.find("name=\"regard-start\" content=\"lesson\""), std::string::npos);
  EXPECT_NE(lesson.find(page_files().lesson), std::string::npos);
}

TEST(Page, OfTheLessonHoldsTheReadersSentenceFirstAndItsUntrainedTwin) {
  const std::vector<RunRequest> own = lesson_runs("m", "A sentence of my own.");
  ASSERT_GE(own.size(), 3u);
  EXPECT_EQ(own[0].text, "A sentence of my own.");
  EXPECT_FALSE(own[0].untrained);
  EXPECT_EQ(own[1].text, own[0].text);
  EXPECT_TRUE(own[1].untrained);
  EXPECT_EQ(own[2].model, "m");
  EXPECT_EQ(lesson_runs("m", "").size() + 2, own.size());
}

}  // namespace
}  // namespace regard
