// SPDX-License-Identifier: Apache-2.0
// Where models are: names to folders, and the list of what the cache holds.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/model_spec.h"
#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/session/session.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultModel = "minilm";

ModelEntry describe(const fs::path& folder) {
  ModelEntry entry;
  entry.name = folder.filename().string();
  entry.path = folder.string();
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) {
      const std::uintmax_t size = at->file_size(ignored);
      if (!ignored) entry.bytes += static_cast<std::int64_t>(size);
    }
  }
  try {
    const std::string config = entry.path + "/config.json";
    const JsonDocument document =
        JsonDocument::parse(read_text_file(config, std::size_t{16} << 20), config);
    const ModelSpec spec = read_model_spec(document.root());
    entry.architecture = spec.architecture;
    entry.layers = spec.layers;
    entry.heads = spec.heads;
    Checkpoint::open(entry.path);
    entry.opens = true;
  } catch (const Error& wrong) {
    entry.note = wrong.what();
  }
  return entry;
}

}  // namespace

std::string Session::resolve(const std::string& model) const {
  std::string name = !model.empty() ? model : settings().model;
  if (name.empty()) name = kDefaultModel;
  std::error_code ignored;
  const fs::file_status status = fs::status(name, ignored);
  if (fs::is_directory(status) && name != kDefaultModel) return name;
  if (fs::exists(status) && name != kDefaultModel)
    throw Error::at(name, "", "a model folder (config.json, model.safetensors)", "a file");
  const bool path = name.find('/') != std::string::npos;
  if (path) throw Error::at(name, "", "a model folder", "nothing of that name");
  if (settings().cache_folder.empty())
    throw Error(
        fmt::format("model {}: no cache folder to look in; set REGARD_CACHE or HOME, or "
                    "name a folder with --model",
                    name));
  const std::string folder = settings().cache_folder + "/models/" + name;
  if (fs::is_directory(fs::status(folder, ignored))) return folder;
  if (name == kDefaultModel)
    throw Error(
        fmt::format("model minilm: expected the folder {}, found nothing; ./try fetches "
                    "it once, or name another folder with --model",
                    folder));
  throw Error(
      fmt::format("model {}: expected a folder of that name or {}, found neither; "
                  "`regard models list` shows the names known",
                  name, folder));
}

std::vector<ModelEntry> Session::list_models() const {
  std::vector<ModelEntry> entries;
  if (settings().cache_folder.empty()) return entries;
  std::error_code error;
  for (fs::directory_iterator at(settings().cache_folder + "/models", error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    // A hidden folder is a model that is still being fetched.
    if (at->path().filename().string().starts_with('.')) continue;
    if (at->is_directory(ignored)) entries.push_back(describe(at->path()));
  }
  std::sort(entries.begin(), entries.end(),
            [](const ModelEntry& a, const ModelEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace regard
