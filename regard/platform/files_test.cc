// SPDX-License-Identifier: Apache-2.0
// Errors, text and files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/output_file.h"
#include "regard/platform/testing.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  std::string in(const char* name) const { return (folder_ / name).string(); }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  static std::string content(const std::string& path) { return read_text_file(path, 1000); }
  TemporaryFolder own_;
  const fs::path folder_ = own_.path();
};

TEST(Error, IsOnePrintableLine) {
  EXPECT_STREQ(Error::at("f", "k", "x", "a\nb\xff").what(), "f: k: expected x, found a\\x0Ab\\xFF");
  EXPECT_EQ(Error::at("", "", "x", std::string(300, 'y')).what(),
            "expected x, found " + std::string(200, 'y') + "...");
}

TEST(Utf8, CutsIllFormedSequencesAtMaximalSubparts) {
  std::size_t replaced = 0;  // the example of the Unicode standard, table 3-8
  EXPECT_EQ(mend_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", &replaced),
            "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
            "b\xef\xbf\xbd"
            "c\xef\xbf\xbd\xef\xbf\xbd"
            "d");
  EXPECT_EQ(replaced, 6u);
}

TEST(Utf8, CountsTheColumnsOfATerminal) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("\xe4\xb8\xad\xe6\x96\x87"), 4u);  // two Han characters
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);                 // a combining acute
  EXPECT_EQ(display_width("\xf0\x9f\x98\x80"), 2u);          // an emoji
}

TEST_F(Files, AreMappedAndMissingOnesNamed) {
  std::ofstream(in("a")) << "hello";
  MappedFile file = MappedFile::open(in("a"));
  const MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes().size(), 5u);
  EXPECT_EQ(std::to_integer<char>(moved.bytes()[4]), 'o');
  moved.will_need(0, 100);
  std::ofstream(in("empty"));
  EXPECT_TRUE(MappedFile::open(in("empty")).bytes().empty());
  EXPECT_EQ(content(in("empty")), "");
  EXPECT_THROW(MappedFile::open(in("missing")), Error);
  EXPECT_THROW(MappedFile::open(folder_.string()), Error);
  EXPECT_THROW(read_text_file(in("a"), 4), Error);
}

TEST_F(Files, AppearOnlyWhenCommitted) {
  std::ofstream(in("a")) << "old";
  ::chmod(in("a").c_str(), 0640);
  {
    OutputFile file(in("a"));
    file.write("half");
  }
  EXPECT_EQ(content(in("a")), "old");
  EXPECT_EQ(count(), 1u);
  OutputFile file(in("a"));
  file.write("new");
  EXPECT_EQ(content(in("a")), "old");
  file.commit();
  EXPECT_EQ(content(in("a")), "new");
  EXPECT_EQ(file.size(), 3u);
  struct stat status{};
  ASSERT_EQ(::stat(in("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, AreWrittenThroughALinkThatStays) {
  std::ofstream(in("target")) << "old";
  fs::create_symlink("target", in("link"));
  OutputFile file(in("link"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(in("link")));
  EXPECT_EQ(content(in("target")), "new");
}

TEST_F(Files, AreMadeWhereALinkToNothingPoints) {
  fs::create_directory(in("folder"));
  fs::create_symlink("folder/target", in("link"));
  fs::create_symlink(in("link"), in("second"));
  OutputFile file(in("second"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(in("link")));
  EXPECT_TRUE(fs::is_symlink(in("second")));
  EXPECT_EQ(content(in("folder/target")), "new");
  EXPECT_EQ(count(), 3u);
  fs::create_symlink("loop", in("loop"));
  EXPECT_THROW(OutputFile(in("loop")), Error);
}

TEST_F(Files, HaveThePermissionsThatTheUmaskLeavesAndNeverTouchIt) {
  const mode_t before = ::umask(0027);
  OutputFile file(in("a"));
  file.write("text");
  file.commit();
  EXPECT_EQ(::umask(before), 0027u);
  struct stat status{};
  ASSERT_EQ(::stat(in("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0640u);
}

TEST_F(Files, MayGetTheirFirstBytesLast) {
  OutputFile file(in("a"));
  file.write("....");
  file.write(std::string(3 << 20, 'x'));
  file.write_start("head");
  file.write("end");
  file.commit();
  const std::string text = read_text_file(in("a"), 4 << 20);
  EXPECT_EQ(text.size(), 4u + (3u << 20) + 3u);
  EXPECT_EQ(text.substr(0, 5), "headx");
  EXPECT_EQ(text.substr(text.size() - 4), "xend");
}

TEST_F(Files, AreRefusedAtOnceWhenTheDiskHasNoRoom) {
  OutputFile file(in("a"));
  file.reserve(1000);
  try {
    file.reserve(std::uint64_t{1} << 60);
    FAIL() << "an exabyte was free";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(in("a")), std::string::npos) << error.what();
  }
  file.write("text");
  file.commit();
  EXPECT_EQ(content(in("a")), "text");
}

TEST_F(Files, UnderADescriptorsNameAreWrittenWhereItStands) {
  std::ofstream(in("a")) << "head\n";
  const int open = ::open(in("a").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(open, 0);
  for (const char* folder : {"/dev/fd/", "/proc/self/fd/"}) {
    OutputFile file(folder + std::to_string(open));
    EXPECT_FALSE(file.is_regular());
    file.write("text\n");
    file.commit();
  }
  ::close(open);
  EXPECT_EQ(content(in("a")), "head\ntext\ntext\n");
  EXPECT_EQ(count(), 1u);
  EXPECT_THROW(OutputFile("/dev/fd/1000000"), Error);
}

TEST_F(Files, OnAFullDeviceAreAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  OutputFile file("/dev/full");
  file.write("text");
  EXPECT_THROW(file.commit(), Error);
}

TEST_F(Files, InAMissingOrReadOnlyFolderAreAnError) {
  EXPECT_THROW(OutputFile(in("none/a")), Error);
  EXPECT_THROW(OutputFile(folder_.string()), Error);
  if (::geteuid() == 0) GTEST_SKIP() << "the superuser ignores modes";
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THROW(OutputFile(in("a")), Error);
  fs::permissions(folder_, fs::perms::owner_all);
}

}  // namespace
}  // namespace regard
