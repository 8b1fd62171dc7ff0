// SPDX-License-Identifier: Apache-2.0
// A trained model's files, seen as tensors by name and texts by name; nothing about models.
// A checkpoint is a single .safetensors, pytorch_model.bin or .gguf file, or a folder of them:
// model.safetensors, else its shards, else pytorch_model.bin, else its shards, else one .gguf
// (or one series NAME-00001-of-0000N.gguf). What a file is follows from its first bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/checkpoint/gguf.h"
#include "regard/checkpoint/safetensors.h"
#include "regard/checkpoint/torch_file.h"
#include "regard/tensor/tensor.h"

namespace regard {

// The only .gguf file of the folder, or the first of its only series; nothing when there is none.
// Throws Error naming them when there are several.
std::optional<std::string> find_gguf(const std::string& folder);
// Whether the folder has weights under one of the names that come before a .gguf file.
bool has_named_weights(const std::string& folder);

// MXFP4 as Hugging Face stores it, two U8 tensors NAME_blocks [.., n, 16] and NAME_scales [.., n],
// is also there as the one tensor NAME [.., 32 n] of type kMXFP4Split.
// Thread safety: immutable after open; any number of threads.
class Checkpoint {
 public:
  // Throws Error when nothing readable is there, a shard is missing, two shards hold one name, the
  // index names a tensor that its shard lacks, or a shard's name leaves the folder.
  static Checkpoint open(const std::string& path);
  // Tensors in the caller's memory, which outlives the checkpoint. name: what errors call it.
  static Checkpoint of_tensors(std::string name, std::map<std::string, TensorView> tensors);

  // Before training: every floating-point tensor of two axes or more becomes F32 numbers of a
  // normal distribution of deviation 0.02 (the usual initialisation; BERT, GPT-2), those of one
  // axis 0 where they are biases, else 1. The same seed gives the same numbers on every machine.
  // Memory: four bytes a weight.
  void draw_at_random(std::uint64_t seed);

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

  // The GGUF file, of a series the first, whose metadata describe the model; null for others.
  const GgufFile* gguf() const { return ggufs_.empty() ? nullptr : ggufs_.data(); }

 private:
  struct Entry {
    std::string_view name;
    const TensorView* view;
    std::size_t file;  // in paths_
  };
  void add_folder(const std::string& path);
  void add_shards(const std::string& path, const char* index);
  void add_file(const std::string& path);
  void add_gguf_series(const std::string& path);
  void add_entries();
  void join_mxfp4();
  const Entry* find_entry(std::string_view name) const;

  std::string path_;
  std::vector<std::string> paths_;
  std::vector<SafetensorsFile> safetensors_;
  std::vector<TorchFile> torches_;
  std::vector<GgufFile> ggufs_;
  std::map<std::string, TensorView> joined_;  // and those of of_tensors()
  std::vector<Tensor> drawn_;
  std::vector<TensorView> drawn_views_;
  std::vector<Entry> entries_;  // sorted by name
  std::uint64_t bytes_ = 0;
};

}  // namespace regard
