// SPDX-License-Identifier: Apache-2.0
#include "regard/session/hub_cache.h"

#include <gtest/gtest.h>

namespace regard {
namespace {

TEST(HubId, IsAModelWithRevisionAndFile) {
  const auto plain = HubId::parse("google-bert/bert-base-uncased");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->id, "google-bert/bert-base-uncased");
  EXPECT_EQ(plain->revision, "main");
  EXPECT_EQ(plain->file, "");
  EXPECT_EQ(plain->folder("/c"), "/c/models--google-bert--bert-base-uncased");
  const auto all = HubId::parse("a/b/c.Q4_K_M.gguf@refs/pr/1");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->id, "a/b");
  EXPECT_EQ(all->file, "c.Q4_K_M.gguf");
  EXPECT_EQ(all->revision, "refs/pr/1");
  EXPECT_EQ(all->text(), "a/b/c.Q4_K_M.gguf@refs/pr/1");
  EXPECT_EQ(HubId::parse("gpt2")->folder("/c"), "/c/models--gpt2");
}

TEST(HubId, NeverLeadsOutOfItsFolder) {
  for (const char* text :
       {"",     "/",        "/a",       "a/",  "a//b", "../a",    "a/..", "a/../b",
        ".",    "a/.b",     "a/b/../c", "a b", "a\n",  "a/b/c/d", "a@",   "a@../b",
        "a@/b", "a@b/../c", "a--b/c",   "-a",  "a\\b", "a/b@c d"})
    EXPECT_FALSE(HubId::parse(text)) << text;
  EXPECT_FALSE(HubId::parse(std::string(97, 'a')));
}

TEST(FindSnapshot, KnowsNothingOfWhatIsNotThere) {
  EXPECT_FALSE(find_snapshot("", *HubId::parse("a/b")));
  EXPECT_FALSE(find_snapshot("/nonexistent", *HubId::parse("a/b")));
  EXPECT_TRUE(list_references("/nonexistent").empty());
}

}  // namespace
}  // namespace regard
