// SPDX-License-Identifier: Apache-2.0
// Temporary name, fsync, rename.
#include "regard/platform/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <random>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::size_t kBuffer = 1 << 20;

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw Error::at(path, "", what, std::strerror(errno));
}

// Where a chain of symbolic links ends, whether there is a file or not.
std::string target_of(const std::string& path) {
  std::filesystem::path target = path;
  for (int links = 0; links < 40; ++links) {
    std::error_code code;
    const std::filesystem::path next = std::filesystem::read_symlink(target, code);
    if (code) return target.string();
    target = target.parent_path() / next;  // `next` alone when it is absolute
  }
  throw Error::at(path, "", "a file to write", "a chain of more than 40 symbolic links");
}

// A new file beside `path`, whose name begins with that of `path`; its permissions are what the
// process's umask leaves. -1 with errno when it cannot be made.
int open_temporary(const std::string& path, std::string* name) {
  std::random_device random;
  for (int tries = 0; tries < 100; ++tries) {
    std::string candidate = path + ".tmp-";
    for (int i = 0; i < 6; ++i) candidate += "abcdefghijklmnopqrstuvwxyz0123456789"[random() % 36];
    const int descriptor =
        ::open(candidate.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor >= 0) *name = candidate;
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

// A name lives in its folder, which has to be synced too. Some file systems cannot sync a folder,
// and one that may be written but not listed cannot be opened: neither is a failure.
void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == EACCES) return;
    fail(path, "a folder that can be synced");
  }
  const int failed = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  errno = failed;
  if (failed != 0 && failed != EINVAL && failed != EROFS) fail(path, "a folder that can be synced");
}

// The descriptor that a path is another name of: /dev/stdout, /dev/fd/3, /proc/self/fd/3. -1 for
// any other path. What is open there goes on being written where it stands, also when it is a
// regular file.
int descriptor_named(const std::string& path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    const char* const end = path.data() + path.size();
    int descriptor = -1;
    const auto [stop, error] = std::from_chars(path.data() + folder.size(), end, descriptor);
    if (error == std::errc() && stop == end && descriptor >= 0) return descriptor;
  }
  return -1;
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  if (const int open = descriptor_named(path); open >= 0) {
    descriptor_ = ::fcntl(open, F_DUPFD_CLOEXEC, 0);
    if (descriptor_ < 0) fail(path, "an open place to write");
    return;
  }
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) throw Error::at(path, "", "a file to write", "a folder");
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(path, "a place to write");
    return;
  }
  path_ = target_of(path);
  descriptor_ = open_temporary(path_, &temporary_);
  if (descriptor_ < 0) fail(path, "a folder that can be written to");
  // A file system that keeps no modes, or an owner that is somebody else, leaves the umask's.
  if (exists) static_cast<void>(::fchmod(descriptor_, status.st_mode & 07777));
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

void OutputFile::write_start(std::string_view text) {
  flush();
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written =
        ::pwrite(descriptor_, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "room to write");
    at += static_cast<std::size_t>(written);
  }
}

void OutputFile::reserve(std::uint64_t bytes) {
  if (!is_regular() || bytes == 0) return;
  int result = 0;
  do {
    result = ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  const int failed = result == 0 ? 0 : errno;
  if (failed == 0) return;
  if (failed == EFBIG) fail(path_, std::to_string(bytes) + " bytes in one file");
  // Not every file system can set space aside; all can say how much there is.
  struct statvfs disk{};
  if (::fstatvfs(descriptor_, &disk) != 0) return;
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (failed == ENOSPC || free < bytes)
    throw Error::at(path_, "", "a disk with room for " + std::to_string(bytes) + " bytes",
                    std::to_string(free) + " bytes free");
}

void OutputFile::commit() {
  flush();
  if (temporary_.empty()) return;
  if (::fsync(descriptor_) != 0) fail(path_, "a disk that takes the data");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "a name to rename to");
  temporary_.clear();
  sync_folder_of(path_);
}

}  // namespace regard
