// SPDX-License-Identifier: Apache-2.0
// Finds a model's safetensors files and joins their tensors under one roof. File names are those of
// Hugging Face's save_pretrained; links, as in the hub's cache, are followed.
#include "regard/checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::size_t kLargestIndex = 100'000'000;

// Whether the folder has an entry of this name, be it a link to nowhere.
bool has(const fs::path& folder, const char* name) {
  std::error_code code;
  return fs::exists(fs::symlink_status(folder / name, code));
}

// A name that stays inside its folder.
bool is_plain(std::string_view name) {
  return !name.empty() && name != "." && name.find('/') == name.npos &&
         name.find('\\') == name.npos && name.find("..") == name.npos &&
         name.find('\0') == name.npos;
}

// The index's "weight_map": which shard holds which tensor.
std::map<std::string, std::string> read_weight_map(const std::string& path) {
  const JsonDocument document =
      JsonDocument::parse(read_text_file(path, kLargestIndex), path, true);
  std::map<std::string, std::string> shard_of;
  document.root().at("weight_map").for_each_member([&](std::string_view name, Json shard) {
    if (!is_plain(shard.string())) throw shard.wrong("the name of a file in the same folder");
    shard_of.emplace(name, shard.string());
  });
  return shard_of;
}

std::string no_weights(const fs::path& folder) {
  for (const char* name :
       {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"})
    if (has(folder, name)) return fmt::format("{}, a format that is not read", name);
  return "neither";
}

}  // namespace

Checkpoint Checkpoint::open(const std::string& path) {
  Checkpoint result;
  result.path_ = path;
  std::error_code code;
  const fs::path folder(path);
  std::map<std::string, std::string> shard_of;
  std::vector<std::string> files;
  if (!fs::is_directory(folder, code)) {
    files.push_back(path);
  } else if (has(folder, kSingle)) {
    files.push_back((folder / kSingle).string());
  } else if (has(folder, kIndex)) {
    shard_of = read_weight_map((folder / kIndex).string());
    std::set<std::string> shards;
    for (const auto& [name, shard] : shard_of) shards.insert(shard);
    for (const std::string& shard : shards) files.push_back((folder / shard).string());
  } else {
    throw Error::at(path, "", fmt::format("{} or {}", kSingle, kIndex), no_weights(folder));
  }

  for (const std::string& file : files) {
    result.files_.push_back(SafetensorsFile::open(file));
    const std::size_t index = result.files_.size() - 1;
    for (const auto& [name, view] : result.files_.back().tensors()) {
      const auto [entry, added] = result.file_of_.emplace(name, index);
      if (!added)
        throw Error::at(file, name, "each tensor in one shard",
                        fmt::format("it in {} too", files[entry->second]));
    }
  }
  for (const auto& [name, shard] : shard_of) {
    const auto entry = result.file_of_.find(name);
    const std::string file = (folder / shard).string();
    if (entry == result.file_of_.end() || files[entry->second] != file)
      throw Error::at(file, name, fmt::format("the tensor that {} promises", kIndex),
                      "no such tensor");
  }
  return result;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, index] : file_of_) names.push_back(name);
  return names;
}

std::optional<TensorView> Checkpoint::find(std::string_view name) const {
  const auto entry = file_of_.find(name);
  if (entry == file_of_.end()) return std::nullopt;
  return files_[entry->second].find(name);
}

TensorView Checkpoint::at(std::string_view name, std::span<const std::int64_t> shape) const {
  const auto entry = file_of_.find(name);
  if (entry == file_of_.end())
    throw Error::at(path_, name, fmt::format("a tensor of shape {}", to_string(shape)),
                    "no such tensor");
  const SafetensorsFile& file = files_[entry->second];
  const TensorView view = *file.find(name);
  return file.at(name, view.dtype, shape);
}

std::string Checkpoint::file_of(std::string_view name) const {
  const auto entry = file_of_.find(name);
  if (entry == file_of_.end()) throw Error::at(path_, name, "a tensor", "no such tensor");
  return files_[entry->second].path();
}

std::uint64_t Checkpoint::bytes() const {
  std::uint64_t bytes = 0;
  for (const SafetensorsFile& file : files_) bytes += file.bytes();
  return bytes;
}

}  // namespace regard
