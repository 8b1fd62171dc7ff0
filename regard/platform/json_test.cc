// SPDX-License-Identifier: Apache-2.0
// JSON: what is accepted, what is refused, and what the errors say.
#include "regard/platform/json.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

using ::testing::HasSubstr;

std::string parse_error(std::string_view text) {
  return error_of([&] { JsonDocument::parse(text, "f.json"); });
}

TEST(Json, NoTextAtAllIsAnError) {
  EXPECT_THROW(JsonDocument::parse(std::string_view(), "a.json"), Error);
}

TEST(Json, ReadsEveryTypeAndNamesTheKeyOfAWrongOne) {
  const JsonDocument document = JsonDocument::parse(
      R"({"a": {"b": [1, -2.5, "x\u00e9", true, null]}, "big": 18446744073709551615})", "f.json");
  const Json list = document.root().at("a").at("b");
  EXPECT_EQ(list.size(), 5u);
  std::string seen;
  std::vector<Json> values;
  list.for_each_element([&](std::size_t index, Json value) {
    seen += std::to_string(index);
    values.push_back(value);
  });
  ASSERT_EQ(seen, "01234");
  EXPECT_EQ(values[0].integer(), 1);
  EXPECT_EQ(values[0].number(), 1.0);
  EXPECT_EQ(values[1].number(), -2.5);
  EXPECT_EQ(values[2].string(), "x\xc3\xa9");
  EXPECT_TRUE(values[3].boolean());
  EXPECT_TRUE(values[4].is_null());
  EXPECT_EQ(error_of([&] { values[3].string(); }), "f.json: a.b[3]: expected a string, found true");
  EXPECT_FALSE(document.root().find("c"));
  EXPECT_THAT(error_of([&] { document.root().at("a").at("c"); }), HasSubstr("f.json: a.c: "));
  EXPECT_EQ(document.root().at("big").type(), Json::Type::kNumber);
  EXPECT_THROW(document.root().at("big").integer(), Error);
}

TEST(Json, KeepsTheOrderOfMembersAndCountsThem) {
  const JsonDocument document = JsonDocument::parse(R"({"z":1,"a":{"q":[]},"m":3})", "f");
  std::string keys;
  document.root().for_each_member([&](std::string_view key, Json) { keys += key; });
  EXPECT_EQ(keys, "zam");
  EXPECT_EQ(document.root().size(), 3u);
}

TEST(Json, ReadsIntegersBeyond64BitsAsNumbers) {
  const JsonDocument document = JsonDocument::parse(
      R"({"s": "\"1000000000000000000019884624838656", "n": 1000000000000000019884624838656})",
      "f");
  EXPECT_EQ(document.root().at("n").number(), 1e30);
  EXPECT_EQ(document.root().at("s").string(), "\"1000000000000000000019884624838656");
}

TEST(Json, RefusesBrokenTextsAndNamesTheByte) {
  EXPECT_THAT(parse_error(R"({"a" 1})"), HasSubstr("f.json: byte 5: expected JSON"));
  for (const char* text :
       {"", "{", "[1,]", "{'a':1}", "[1] 2", "nul", "[01]", "\"\xff\"", "[1e999]"})
    EXPECT_NE(parse_error(text), "no error") << text;
}

TEST(Json, Accepts64LevelsAndRefuses65) {
  const auto nested = [](int levels) {
    return std::string(levels, '[') + "1" + std::string(levels, ']');
  };
  EXPECT_EQ(parse_error(nested(64)), "no error");
  EXPECT_THAT(parse_error(nested(65)), HasSubstr("64 levels"));
}

TEST(Json, RefusesADuplicateKeyUnlessToldThatTheLastCounts) {
  const char* text = R"({"a": {"k": 1, "k": 2}})";
  EXPECT_THAT(parse_error(text), HasSubstr("f.json: a."));
  const JsonDocument document = JsonDocument::parse(text, "f.json", false);
  EXPECT_EQ(document.root().at("a").at("k").integer(), 2);
}

TEST(Json, QuotesControlCharactersAndMendsBrokenText) {
  EXPECT_EQ(json_quoted("a\"\\\n\x01\x7f\xc2\x85\xff\xe4\xb8\xad"),
            "\"a\\\"\\\\\\n\\u0001\\u007f\\u0085\xef\xbf\xbd\xe4\xb8\xad\"");
}

}  // namespace
}  // namespace regard
