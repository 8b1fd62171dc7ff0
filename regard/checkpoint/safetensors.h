// SPDX-License-Identifier: Apache-2.0
// The safetensors format: 8 bytes little-endian header length, a JSON header, the data.
// Source: github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs.
// Read strictly: header at most 100,000,000 bytes and starting with '{', no duplicate names, every
// size checked before it is used, data that starts at 0 and has no hole, overlap or remainder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "regard/platform/mapped_file.h"
#include "regard/tensor/tensor.h"

namespace regard {

// Thread safety: immutable after open; any number of threads.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  static SafetensorsFile read(MappedFile file);

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, TensorView, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  std::optional<TensorView> find(std::string_view name) const;
  // Throws Error naming file and tensor when it is absent, or has another dtype or shape; an axis
  // of -1 in `shape` accepts any size.
  TensorView at(std::string_view name, DType dtype, std::span<const std::int64_t> shape) const;
  std::uint64_t bytes() const { return file_.bytes().size(); }
  const MappedFile& file() const { return file_; }

 private:
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {}
  MappedFile file_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

// One tensor to be written.
struct SafetensorsEntry {
  std::string name;
  TensorView view;
};

// Writes a file through OutputFile, the entries in the order given, each tensor's data aligned to
// 64 bytes in the file. The format allows no holes, so alignment comes from the header's trailing
// spaces for the first and from byte tensors named "padding.{i}" (U8) between others where needed.
void write_safetensors(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata);
// The same bytes, in pieces, to wherever `write` puts them; name: what errors call it.
void write_safetensors(const std::function<void(std::string_view)>& write, const std::string& name,
                       const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata);

// Size in bytes of the file that write_safetensors would write.
std::uint64_t safetensors_size(const std::vector<SafetensorsEntry>& entries,
                               const std::map<std::string, std::string>& metadata);

}  // namespace regard
