// SPDX-License-Identifier: Apache-2.0
// Finds a model's files and joins their tensors under one roof. File names are those of Hugging
// Face's save_pretrained and of llama.cpp's gguf-split; links, as in the hub's cache, are followed.
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

// In the order of preference: one file, or an index of several.
constexpr struct {
  const char *single, *index;
} kNames[] = {{"model.safetensors", "model.safetensors.index.json"},
              {"pytorch_model.bin", "pytorch_model.bin.index.json"}};
constexpr std::size_t kLargestIndex = 100'000'000;
constexpr std::string_view kGguf = ".gguf";

// Whether the folder has an entry of this name, be it a link to nowhere.
bool has(const fs::path& folder, const char* name) {
  std::error_code code;
  return fs::exists(fs::symlink_status(folder / name, code));
}

// A name that stays inside its folder.
bool is_file_name(std::string_view name) {
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
    if (!is_file_name(shard.string())) throw shard.wrong("the name of a file in the same folder");
    shard_of.emplace(name, shard.string());
  });
  return shard_of;
}

// A name of a series of GGUF files: NAME-00002-of-00005.gguf.
struct SeriesName {
  std::string stem;
  std::int64_t count = 0;
  std::string file(std::int64_t number) const {
    return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count);
  }
};
std::optional<SeriesName> series_of(const std::string& path) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (path.size() < kPattern.size()) return std::nullopt;
  const std::string_view tail = std::string_view(path).substr(path.size() - kPattern.size());
  SeriesName name{path.substr(0, path.size() - kPattern.size()), 0};
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool digit = tail[i] >= '0' && tail[i] <= '9';
    if (kPattern[i] == '0' ? !digit : tail[i] != kPattern[i]) return std::nullopt;
    if (i >= 10 && digit) name.count = name.count * 10 + (tail[i] - '0');
  }
  return name;
}

std::string no_weights(const fs::path& folder) {
  for (const char* name : {"tf_model.h5", "flax_model.msgpack", "model.onnx"})
    if (has(folder, name)) return fmt::format("{}, a format that is not read", name);
  return "none of them";
}

bool fits(std::span<const std::int64_t> pattern, const Shape& shape) {
  return std::equal(
      pattern.begin(), pattern.end(), shape.begin(), shape.end(),
      [](std::int64_t want, std::int64_t have) { return want == -1 || want == have; });
}

}  // namespace

bool has_named_weights(const std::string& folder) {
  for (const auto& names : kNames)
    if (has(folder, names.single) || has(folder, names.index)) return true;
  return false;
}

std::optional<std::string> find_gguf(const std::string& folder) {
  std::set<std::string> found;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (!name.ends_with(kGguf)) continue;
    const std::optional<SeriesName> series = series_of(name);
    found.insert(series ? series->file(1) : name);
  }
  if (found.empty()) return std::nullopt;
  if (found.size() > 1)
    throw Error::at(folder, "", "one .gguf file, or the name of the file itself",
                    fmt::format("{}", fmt::join(found, ", ")));
  return (fs::path(folder) / *found.begin()).string();
}

Checkpoint Checkpoint::open(const std::string& path) {
  Checkpoint result;
  result.path_ = path;
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    result.add_file(path);
    result.add_entries();
  } else {
    result.add_folder(path);
  }
  result.join_mxfp4();
  return result;
}

void Checkpoint::add_folder(const std::string& path) {
  const fs::path folder(path);
  for (const auto& names : kNames) {
    if (has(folder, names.single)) {
      add_file((folder / names.single).string());
      return add_entries();
    }
    if (has(folder, names.index)) return add_shards(path, names.index);
  }
  const std::optional<std::string> gguf = find_gguf(path);
  if (!gguf)
    throw Error::at(path, "",
                    "model.safetensors, pytorch_model.bin, an index of one of them, or a .gguf "
                    "file",
                    no_weights(folder));
  add_file(*gguf);
  add_entries();
}

void Checkpoint::add_shards(const std::string& path, const char* index) {
  const fs::path folder(path);
  const std::map<std::string, std::string> shard_of = read_weight_map((folder / index).string());
  std::set<std::string> shards;
  for (const auto& [name, shard] : shard_of) shards.insert(shard);
  for (const std::string& shard : shards) add_file((folder / shard).string());
  add_entries();
  for (const auto& [name, shard] : shard_of) {
    const Entry* entry = find_entry(name);
    const std::string file = (folder / shard).string();
    if (entry == nullptr || paths_[entry->file] != file)
      throw Error::at(file, name, fmt::format("the tensor that {} promises", index),
                      "no such tensor");
  }
}

void Checkpoint::add_file(const std::string& path) {
  std::vector<std::byte> start(16);
  {
    const MappedFile file = MappedFile::open(path);
    start.resize(std::min(start.size(), file.bytes().size()));
    std::copy_n(file.bytes().begin(), start.size(), start.begin());
  }
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  if (text.starts_with("GGUF")) return add_gguf_series(path);
  if (TorchFile::begins(start)) {
    torches_.push_back(TorchFile::open(path));
    bytes_ += torches_.back().bytes();
  } else {
    safetensors_.push_back(SafetensorsFile::open(path));
    bytes_ += safetensors_.back().bytes();
  }
  paths_.push_back(path);
}

// The file, or all files of the series that its metadata say it belongs to.
void Checkpoint::add_gguf_series(const std::string& path) {
  const GgufFile given = GgufFile::open(path);
  const std::optional<GgufValue> split = given.find("split.count");
  const std::int64_t count = split ? split->integer() : 1;
  std::vector<GgufFile> files;
  if (count <= 1) {
    files.push_back(given);
  } else {
    const std::optional<SeriesName> name = series_of(path);
    if (!name || name->count != count)
      throw Error::at(path, "split.count",
                      fmt::format("a file named ...-0000N-of-{:05}.gguf", count), path);
    for (std::int64_t i = 1; i <= count; ++i) {
      files.push_back(GgufFile::open(name->file(i)));
      if (files.back().at("split.count").integer() != count)
        throw files.back().at("split.count").wrong(fmt::to_string(count));
      if (files.back().at("split.no").integer() != i - 1)
        throw files.back().at("split.no").wrong(fmt::to_string(i - 1));
    }
    std::int64_t tensors = 0;
    for (const GgufFile& file : files) tensors += static_cast<std::int64_t>(file.tensors().size());
    const std::optional<GgufValue> promised = files.front().find("split.tensors.count");
    if (promised && promised->integer() != tensors)
      throw promised->wrong(fmt::format("{} tensors, as the files have", tensors));
  }
  for (GgufFile& file : files) {
    paths_.push_back(file.path());
    bytes_ += file.bytes();
    ggufs_.push_back(std::move(file));
  }
}

void Checkpoint::add_entries() {
  std::map<std::string_view, std::size_t> index_of;
  for (std::size_t i = 0; i < paths_.size(); ++i) index_of.emplace(paths_[i], i);
  const auto add = [&](const std::string& path, std::span<const NamedTensor> tensors) {
    for (const NamedTensor& tensor : tensors)
      entries_.push_back({tensor.name, &tensor.view, index_of.at(path)});
  };
  for (const SafetensorsFile& file : safetensors_)
    for (const auto& [name, view] : file.tensors())
      entries_.push_back({name, &view, index_of.at(file.path())});
  for (const TorchFile& file : torches_) add(file.path(), file.tensors());
  for (const GgufFile& file : ggufs_) add(file.path(), file.tensors());
  // Each file's are sorted already.
  if (paths_.size() > 1)
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < entries_.size(); ++i)
    if (entries_[i].name == entries_[i - 1].name)
      throw Error::at(paths_[entries_[i].file], entries_[i].name, "each tensor in one shard",
                      fmt::format("it in {} too", paths_[entries_[i - 1].file]));
}

Checkpoint Checkpoint::of_tensors(std::string name, std::map<std::string, TensorView> tensors) {
  Checkpoint checkpoint;
  checkpoint.path_ = name;
  checkpoint.paths_ = {std::move(name)};
  checkpoint.joined_ = std::move(tensors);
  for (const auto& [tensor, view] : checkpoint.joined_) {
    checkpoint.entries_.push_back({tensor, &view, 0});
    checkpoint.bytes_ += byte_count(view.shape, view.dtype).value_or(0);
  }
  return checkpoint;
}

void Checkpoint::join_mxfp4() {
  constexpr std::string_view kBlocks = "_blocks", kScales = "_scales";
  std::vector<Entry> joined;
  for (const Entry& blocks : entries_) {
    if (!blocks.name.ends_with(kBlocks)) continue;
    std::string name(blocks.name.substr(0, blocks.name.size() - kBlocks.size()));
    const Entry* scales = find_entry(name + std::string(kScales));
    if (scales == nullptr || find_entry(name) != nullptr) continue;
    Shape shape = blocks.view->shape;
    if (blocks.view->dtype != DType::kU8 || scales->view->dtype != DType::kU8 || shape.size() < 2 ||
        shape.back() != 16)
      continue;
    shape.pop_back();
    if (scales->view->shape != shape) continue;
    shape.back() *= 32;
    const auto [place, added] = joined_.emplace(
        std::move(name),
        TensorView{DType::kMXFP4Split, std::move(shape), blocks.view->data, scales->view->data});
    joined.push_back({place->first, &place->second, blocks.file});
  }
  if (joined.empty()) return;
  entries_.insert(entries_.end(), joined.begin(), joined.end());
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
}

const Checkpoint::Entry* Checkpoint::find_entry(std::string_view name) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.emplace_back(entry.name);
  return names;
}

std::optional<TensorView> Checkpoint::find(std::string_view name) const {
  const Entry* entry = find_entry(name);
  if (entry == nullptr) return std::nullopt;
  return *entry->view;
}

TensorView Checkpoint::at(std::string_view name, std::span<const std::int64_t> shape) const {
  const Entry* entry = find_entry(name);
  const std::string expected = fmt::format("a tensor of shape {}", to_string(shape));
  if (entry == nullptr) throw Error::at(path_, name, expected, "no such tensor");
  if (!fits(shape, entry->view->shape))
    throw Error::at(paths_[entry->file], name, expected, to_string(entry->view->shape));
  return *entry->view;
}

std::string Checkpoint::file_of(std::string_view name) const {
  const Entry* entry = find_entry(name);
  if (entry == nullptr) throw Error::at(path_, name, "a tensor", "no such tensor");
  return paths_[entry->file];
}

std::uint64_t Checkpoint::bytes() const { return bytes_; }

}  // namespace regard
