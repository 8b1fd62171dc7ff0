// SPDX-License-Identifier: Apache-2.0
// A trained model's files, seen as tensors by name and texts by name; nothing about models.
// A checkpoint is a folder (config.json; model.safetensors, or shards under
// model.safetensors.index.json) or a single .safetensors file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/tensor/tensor.h"

namespace regard {

// Thread safety: immutable after open; any number of threads.
class Checkpoint {
 public:
  // Throws Error when nothing readable is there, a shard is missing, two shards hold one name, the
  // index names a tensor that its shard lacks, or a shard's name leaves the folder.
  static Checkpoint open(const std::string& path);

  // The folder, or the file, as it was given.
  const std::string& path() const { return path_; }
  // Sorted.
  std::vector<std::string> names() const;
  std::optional<TensorView> find(std::string_view name) const;
  // Throws Error naming the checkpoint and the tensor when it is absent or has another shape. An
  // axis of -1 in `shape` accepts any size.
  TensorView at(std::string_view name, std::span<const std::int64_t> shape) const;
  // File that holds the tensor, for errors.
  std::string file_of(std::string_view name) const;
  std::uint64_t bytes() const;

 private:
  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t, std::less<>> file_of_;
};

}  // namespace regard
