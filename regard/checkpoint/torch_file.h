// SPDX-License-Identifier: Apache-2.0
// Weights as torch.save writes them since PyTorch 1.6 (pytorch_model.bin): a zip archive with a
// pickle, data.pkl, and the bytes of each storage. Source: torch/serialization.py. No code of the
// pickle is run (pickle.h). Older files, TorchScript and big-endian ones are refused by name.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "regard/checkpoint/tensor_table.h"
#include "regard/platform/mapped_file.h"

namespace regard {

// Thread safety: immutable after open; any number of threads.
class TorchFile {
 public:
  // Data stay in the file's map; those of a tensor whose elements do not lie in row-major order are
  // copied, together at most the file's size.
  static TorchFile open(const std::string& path);

  // Whether bytes begin as such a file, or one of the older kind, does.
  static bool begins(std::span<const std::byte> bytes);

  const std::string& path() const { return file_.path(); }
  std::uint64_t bytes() const { return file_.bytes().size(); }
  // Sorted by name.
  std::span<const NamedTensor> tensors() const { return tensors_; }

 private:
  explicit TorchFile(MappedFile file) : file_(std::move(file)) {}
  void add_tensors(std::span<const std::byte> archive);
  MappedFile file_;
  std::deque<std::string> names_;
  std::deque<std::vector<std::byte>> copies_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace regard
