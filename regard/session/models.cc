// SPDX-License-Identifier: Apache-2.0
// Where models are: names to files, and the list of what this machine has.
#include <algorithm>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/model.h"
#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/session/builtin_model.h"
#include "regard/session/hub_cache.h"
#include "regard/session/session.h"
#include "regard/tokenizer/gguf_vocabulary.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeightFiles[] = {".gguf", ".safetensors", ".bin"};

// Short names of models on the hub.
constexpr struct {
  std::string_view alias, id;
} kAliases[] = {{"minilm", "sentence-transformers/all-MiniLM-L6-v2"},
                {"bert", "google-bert/bert-base-uncased"},
                {"gpt2", "openai-community/gpt2"},
                {"t5", "google-t5/t5-small"},
                {"smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"},
                {"qwen3", "Qwen/Qwen3-0.6B"},
                {"gemma3-270m", "google/gemma-3-270m"}};

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::status(path, ignored));
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::status(path, ignored));
}

// A folder, or its .gguf file when that holds the weights.
std::string place_in(const std::string& folder) {
  if (has_named_weights(folder)) return folder;
  return find_gguf(folder).value_or(folder);
}

std::int64_t bytes_in(const std::string& path) {
  std::int64_t bytes = 0;
  const auto add = [&](const fs::path& file) {
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) return;
    const std::uintmax_t size = fs::file_size(file, ignored);
    if (!ignored) bytes += static_cast<std::int64_t>(size);
  };
  add(path);
  std::error_code error;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error))
    add(at->path());
  return bytes;
}

constexpr const char* kNoTokenizer = "no tokenizer: it takes --ids, no text";

void read_spec(const ModelSpec& spec, ModelEntry* entry) {
  entry->architecture = spec.architecture;
  entry->layers = spec.layers;
  entry->heads = spec.heads;
  if (!spec.decoder) return;
  entry->decoder_layers = spec.decoder->layers;
  entry->decoder_heads = spec.decoder->heads;
}

// A configuration is read before the weights are looked for, so that it is shown without them.
void read_folder(const std::string& folder, ModelEntry* entry) {
  const std::string config = folder + "/config.json";
  const JsonDocument document =
      JsonDocument::parse(read_text_file(config, std::size_t{16} << 20), config, true);
  read_spec(read_model_spec(document.root()), entry);
  Checkpoint::open(folder);
  if (!Tokenizer::present(folder)) entry->note = kNoTokenizer;
}

// Everything but the weights is read: architecture, configuration, vocabulary.
void read_gguf(const std::string& path, ModelEntry* entry) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  entry->architecture = checkpoint.gguf()->at("general.architecture").string();
  read_spec(Model::read_spec(checkpoint), entry);
  if (checkpoint.gguf()->find("tokenizer.ggml.model"))
    Tokenizer::from_gguf(read_gguf_vocabulary(*checkpoint.gguf()), path);
  else
    entry->note = kNoTokenizer;
}

// `path`: finds where the model is, or throws Error.
ModelEntry describe(const std::string& name, const std::function<std::string()>& path) {
  ModelEntry entry;
  entry.name = name;
  try {
    entry.path = path();
    entry.bytes = bytes_in(entry.path);
    const std::string place = is_folder(entry.path) ? place_in(entry.path) : entry.path;
    is_folder(place) ? read_folder(place, &entry) : read_gguf(place, &entry);
    entry.opens = true;
  } catch (const Error& wrong) {
    entry.note = wrong.what();
  }
  return entry;
}

}  // namespace

std::string Session::resolve(const std::string& model) const {
  std::string name = !model.empty() ? model : settings().model;
  if (name.empty()) name = kBuiltinModel;
  if (name == kBuiltinModel) return name;
  if (is_folder(name)) return place_in(name);
  if (exists(name)) {
    for (const std::string_view extension : kWeightFiles)
      if (name.ends_with(extension)) return name;
    throw Error::at(name, "", "a model folder, or a file of weights (.gguf, .safetensors, .bin)",
                    "another file");
  }

  std::vector<std::string> sought;
  const std::string own = settings().cache_folder + "/models/" + name;
  if (!settings().cache_folder.empty() && name.find('/') == name.npos) {
    if (is_folder(own)) return place_in(own);
    sought.push_back(own);
  }
  std::string id = name;
  for (const auto& alias : kAliases)
    if (name == alias.alias) id = alias.id;
  const std::optional<HubId> hub = HubId::parse(id);
  if (hub) {
    if (const auto found = find_snapshot(settings().hub.cache_folder, *hub))
      return is_folder(*found) ? place_in(*found) : *found;
    if (!settings().hub.cache_folder.empty())
      sought.push_back(hub->folder(settings().hub.cache_folder));
  }
  if (sought.empty() && hub)
    throw Error(
        fmt::format("model {}: no cache folder to look in; set REGARD_CACHE or HOME, or "
                    "name a folder with --model",
                    name));
  if (!hub) throw Error::at(name, "", "a model folder or file", "nothing of that name");
  throw Error(
      fmt::format("model {}: expected a folder or file of that name, or {}, found none; `regard "
                  "models list` shows what is here, `regard models pull {}` fetches it",
                  name, fmt::join(sought, " or "), hub->text()));
}

std::vector<ModelEntry> Session::list_models() const {
  std::vector<ModelEntry> entries;
  std::error_code error;
  if (!settings().cache_folder.empty())
    for (fs::directory_iterator at(settings().cache_folder + "/models", error), end;
         !error && at != end; at.increment(error)) {
      std::error_code ignored;
      // A hidden folder is a model that is still being fetched.
      const std::string name = at->path().filename().string();
      if (!name.starts_with('.') && at->is_directory(ignored))
        entries.push_back(describe(name, [&] { return at->path().string(); }));
    }
  std::sort(entries.begin(), entries.end(),
            [](const ModelEntry& a, const ModelEntry& b) { return a.name < b.name; });
  const ModelSpec spec = builtin_model_spec();
  entries.insert(entries.begin(), {.name = std::string(kBuiltinModel),
                                   .path = std::string(kBuiltinModel),
                                   .note = {},
                                   .opens = true,
                                   .architecture = spec.architecture,
                                   .layers = spec.layers,
                                   .heads = spec.heads,
                                   .bytes = builtin_model_bytes()});
  const std::string& hub = settings().hub.cache_folder;
  for (const HubId& id : list_references(hub))
    entries.push_back(
        describe(id.text(), [&] { return find_snapshot(hub, id).value_or(id.folder(hub)); }));
  return entries;
}

}  // namespace regard
