// SPDX-License-Identifier: Apache-2.0
// Temporary name, fsync, rename.
#include "regard/platform/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::size_t kBuffer = 1 << 20;

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw Error::at(path, "", what, std::strerror(errno));
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) throw Error::at(path, "", "a file to write", "a folder");
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(path, "a place to write");
    return;
  }
  if (exists) {
    std::error_code code;
    const auto target = std::filesystem::canonical(path, code);
    if (!code) path_ = target.string();
  }
  temporary_ = path_ + ".tmp-XXXXXX";
  descriptor_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    temporary_.clear();
    fail(path, "a folder that can be written to");
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor_, exists ? status.st_mode & 07777 : 0666 & ~mask);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void OutputFile::write(std::string_view text) {
  size_ += text.size();
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kBuffer);
    buffer_.append(part);
    text.remove_prefix(part.size());
    if (buffer_.size() >= kBuffer) flush();
  }
}

void OutputFile::flush() {
  for (std::size_t at = 0; at < buffer_.size();) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + at, buffer_.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "room to write");
    at += static_cast<std::size_t>(written);
  }
  buffer_.clear();
}

void OutputFile::commit() {
  flush();
  if (temporary_.empty()) return;
  if (::fsync(descriptor_) != 0) fail(path_, "a disk that takes the data");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "a name to rename to");
  temporary_.clear();
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int descriptor =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace regard
