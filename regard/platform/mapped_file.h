// SPDX-License-Identifier: Apache-2.0
// A file as read-only memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace regard {

// Thread safety: the bytes are read-only; any number of threads may read them.
class MappedFile {
 public:
  // Maps a regular file. Throws Error (file, why) when it is missing, a folder or unreadable. An
  // empty file gives an empty span.
  static MappedFile open(const std::string& path);
  // Bytes that are in memory anyway and outlive this, under a name for errors.
  static MappedFile of_memory(const std::string& name, std::span<const std::byte> bytes);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  // Asks the kernel to read the bytes [begin, end) ahead of their use.
  void will_need(std::size_t begin, std::size_t end) const;

 private:
  MappedFile() = default;
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
};

// The whole file as a string, up to `limit` bytes; larger files are an Error. For small text files.
std::string read_text_file(const std::string& path, std::size_t limit);

}  // namespace regard
