// SPDX-License-Identifier: Apache-2.0
// The configurations of fuzz/corpus/config: good_* must be read, bad_* must be refused.
#include <gmock/gmock.h>

#include <filesystem>

#include "regard/model/model_spec.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

TEST(ConfigCorpus, GoodConfigurationsAreReadAndBadOnesAreRefusedByName) {
  int good = 0, bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(REGARD_SOURCE_DIR) +
                                                               "/fuzz/corpus/config")) {
    const std::string name = entry.path().filename().string();
    const std::string error = error_of([&] {
      const JsonDocument document =
          JsonDocument::parse(read_text_file(entry.path().string(), 1 << 20), name);
      read_model_spec(document.root());
    });
    if (name.starts_with("good_")) {
      ++good;
      EXPECT_EQ(error, "no error") << name;
    } else if (name.starts_with("bad_")) {
      ++bad;
      EXPECT_THAT(error, ::testing::HasSubstr(name)) << name;
    }
  }
  EXPECT_GT(good, 0);
  EXPECT_GT(bad, 0);
}

}  // namespace
}  // namespace regard
