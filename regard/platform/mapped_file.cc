// SPDX-License-Identifier: Apache-2.0
// POSIX memory maps.
#include "regard/platform/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "regard/platform/error.h"

namespace regard {
namespace {

// Closes a descriptor at the end of the scope.
struct Descriptor {
  int value;
  ~Descriptor() { ::close(value); }
};

}  // namespace

MappedFile MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw Error::at(path, "", "a readable file", std::strerror(errno));
  const Descriptor closer{descriptor};
  struct stat status{};
  if (::fstat(descriptor, &status) != 0)
    throw Error::at(path, "", "a readable file", std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    throw Error::at(path, "", "a regular file",
                    S_ISDIR(status.st_mode) ? "a folder" : "another kind of file");
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<std::size_t>(status.st_size);
  if (file.size_ == 0) return file;
  void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) {
    file.size_ = 0;
    throw Error::at(path, "", "a file that can be mapped", std::strerror(errno));
  }
  file.data_ = static_cast<const std::byte*>(data);
  file.mapped_ = true;
  return file;
}

MappedFile MappedFile::of_memory(const std::string& name, std::span<const std::byte> bytes) {
  MappedFile file;
  file.path_ = name;
  file.data_ = bytes.data();
  file.size_ = bytes.size();
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::will_need(std::size_t begin, std::size_t end) const {
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = begin / page * page;
  end = end < size_ ? end : size_;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_WILLNEED);
}

std::string read_text_file(const std::string& path, std::size_t limit) {
  const MappedFile file = MappedFile::open(path);
  if (file.bytes().size() > limit)
    throw Error::at(path, "size", "at most " + std::to_string(limit) + " bytes",
                    std::to_string(file.bytes().size()));
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace regard
