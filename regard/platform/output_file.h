// SPDX-License-Identifier: Apache-2.0
// Writing a file so that nobody ever sees half of it: a temporary name in the same folder, synced,
// then renamed over the final one. What exists and is no regular file (/dev/stdout, /dev/full, a
// pipe) is written in place. A symbolic link is followed: its target is replaced, the link stays.
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
  // Flushes, syncs, renames. Throws Error; then the older file is untouched.
  void commit();

  std::uint64_t size() const { return size_; }

 private:
  void flush();
  std::string path_, temporary_;
  std::string buffer_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace regard
