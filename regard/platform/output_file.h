// SPDX-License-Identifier: Apache-2.0
// Writing a file so that nobody ever sees half of it: a temporary name in the same folder, synced,
// then renamed over the final one. What exists and is no regular file (/dev/stdout, /dev/full, a
// pipe) is written in place, and so is what a descriptor's name stands for (/dev/stdout,
// /dev/fd/3), whatever is open there. A symbolic link is followed, even one to nothing: its target
// is replaced or made, the link stays. An older file's permissions are kept where the file system
// can, a new one has the umask's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace regard {

// Thread safety: one writer.
class OutputFile {
 public:
  // Opens for writing; throws Error when the folder is missing or read-only.
  explicit OutputFile(const std::string& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Without commit() the temporary file is removed and an older file of that name is untouched.
  ~OutputFile();

  // Throws Error on a full disk or a closed pipe.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // Replaces the first bytes. REQUIRES: is_regular(), and as many were written.
  void write_start(std::string_view text);
  // Sets disk space aside for `bytes` in all, so that a disk that is too small fails now. Throws
  // Error saying how much is needed and free; does nothing for what is no regular file.
  void reserve(std::uint64_t bytes);
  // Flushes, syncs, renames, syncs the folder. Throws Error; then the older file is untouched,
  // except when only the folder could not be synced: then the new one is there, and a crash of the
  // machine may still undo that.
  void commit();

  std::uint64_t size() const { return size_; }
  // Whether it is a file under a temporary name, not a device or pipe.
  bool is_regular() const { return !temporary_.empty(); }

 private:
  void flush();
  std::string path_, temporary_;
  std::string buffer_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace regard
