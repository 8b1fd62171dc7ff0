// SPDX-License-Identifier: Apache-2.0
#include "regard/session/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "regard/platform/error.h"

namespace regard {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"REGARD_MODEL", "REGARD_CACHE", "XDG_CACHE_HOME", "HOME", "REGARD_ISA",
                             "REGARD_THREADS", "SOURCE_DATE_EPOCH", "NO_COLOR", "COLORTERM", "TERM",
                             "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "HF_ENDPOINT",
                             "HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT"})
      unsetenv(name);
  }
  static void set(const char* name, const char* value) { setenv(name, value, 1); }
};

TEST_F(SettingsTest, AnEmptyEnvironmentGivesTheDefaults) {
  const Settings settings = Settings::from_environment();
  EXPECT_EQ(settings.model, "");
  EXPECT_EQ(settings.cache_folder, "");
  EXPECT_EQ(settings.threads, 0);
  EXPECT_FALSE(settings.source_date.has_value());
  EXPECT_FALSE(settings.no_colour);
}

TEST_F(SettingsTest, TheCacheFolderIsTheMostSpecificOneSet) {
  set("HOME", "/home/ada");
  EXPECT_EQ(Settings::from_environment().cache_folder, "/home/ada/.cache/regard");
  set("XDG_CACHE_HOME", "/big/cache");
  EXPECT_EQ(Settings::from_environment().cache_folder, "/big/cache/regard");
  set("REGARD_CACHE", "/mine");
  EXPECT_EQ(Settings::from_environment().cache_folder, "/mine");
}

TEST_F(SettingsTest, ARelativeXdgCacheHomeIsIgnored) {
  set("HOME", "/home/ada");
  set("XDG_CACHE_HOME", "cache");
  EXPECT_EQ(Settings::from_environment().cache_folder, "/home/ada/.cache/regard");
}

TEST_F(SettingsTest, TheHubsCacheIsWherePythonKeepsIt) {
  set("HOME", "/home/ada");
  EXPECT_EQ(Settings::from_environment().hub.cache_folder, "/home/ada/.cache/huggingface/hub");
  set("XDG_CACHE_HOME", "/big/cache");
  EXPECT_EQ(Settings::from_environment().hub.cache_folder, "/big/cache/huggingface/hub");
  set("HF_HOME", "/hf");
  EXPECT_EQ(Settings::from_environment().hub.cache_folder, "/hf/hub");
  set("HF_HUB_CACHE", "/mine");
  EXPECT_EQ(Settings::from_environment().hub.cache_folder, "/mine");
}

TEST_F(SettingsTest, TheHubIsTheOneThatIsSet) {
  EXPECT_EQ(Settings::from_environment().hub.endpoint, "https://huggingface.co");
  EXPECT_FALSE(Settings::from_environment().hub.offline);
  EXPECT_EQ(Settings::from_environment().hub.timeout, 10);
  set("HF_ENDPOINT", "http://localhost:1/");
  set("HF_TOKEN", "t");
  set("HF_HUB_DOWNLOAD_TIMEOUT", "3");
  const HubSettings hub = Settings::from_environment().hub;
  EXPECT_EQ(hub.endpoint, "http://localhost:1");
  EXPECT_EQ(hub.token, "t");
  EXPECT_EQ(hub.timeout, 3);
  for (const char* yes : {"1", "true", "ON", "Yes"}) {
    set("HF_HUB_OFFLINE", yes);
    EXPECT_TRUE(Settings::from_environment().hub.offline) << yes;
  }
  set("HF_HUB_OFFLINE", "0");
  EXPECT_FALSE(Settings::from_environment().hub.offline);
}

TEST_F(SettingsTest, AnEmptyNoColorDoesNotCount) {
  set("NO_COLOR", "");
  EXPECT_FALSE(Settings::from_environment().no_colour);
  set("NO_COLOR", "1");
  EXPECT_TRUE(Settings::from_environment().no_colour);
}

TEST_F(SettingsTest, NumbersAreReadWhole) {
  set("REGARD_THREADS", "3");
  set("SOURCE_DATE_EPOCH", "1700000000");
  const Settings settings = Settings::from_environment();
  EXPECT_EQ(settings.threads, 3);
  EXPECT_EQ(settings.source_date, 1700000000);
}

TEST_F(SettingsTest, AVariableThatMakesNoSenseIsAWrongUseThatNamesIt) {
  for (const char* value : {"two", "2x", "0", "-1", "99999999999999999999", " 2"}) {
    set("REGARD_THREADS", value);
    try {
      Settings::from_environment();
      FAIL() << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kUsage);
      EXPECT_NE(std::string(error.what()).find("REGARD_THREADS"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(value), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace regard
