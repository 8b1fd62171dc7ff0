// SPDX-License-Identifier: Apache-2.0
// Tests of the names that folders give to models.
#include "regard/session/model_title.h"

#include <gtest/gtest.h>

namespace regard {
namespace {

TEST(ModelTitle, IsTheFoldersName) {
  EXPECT_EQ(model_title("/models/all-MiniLM-L6-v2"), "all-MiniLM-L6-v2");
  EXPECT_EQ(model_title("/models/all-MiniLM-L6-v2/"), "all-MiniLM-L6-v2");
  EXPECT_EQ(model_title("/models/bert/../gpt2/."), "gpt2");
  EXPECT_EQ(model_title("/cache/models/minilm"), "all-MiniLM-L6-v2");
  EXPECT_EQ(model_title("/data/minilm"), "minilm");
}

TEST(ModelTitle, ANameThatSaysNothingHasTheOneAboveBeforeIt) {
  EXPECT_EQ(model_title("/data/my-bert/model"), "my-bert/model");
  EXPECT_EQ(model_title("/data/my-bert/checkpoint-500"), "my-bert/checkpoint-500");
  EXPECT_EQ(model_title("/model"), "model");
}

TEST(ModelTitle, InsideAHubCacheIsTheHubsId) {
  EXPECT_EQ(model_title("/c/hub/models--google-bert--bert-base-uncased/snapshots/86b5e0"),
            "google-bert/bert-base-uncased");
  EXPECT_EQ(model_title("/c/hub/models--gpt2/snapshots/607a30"), "gpt2");
}

}  // namespace
}  // namespace regard
