// SPDX-License-Identifier: Apache-2.0
// Names of model folders; the hub cache's layout is huggingface_hub's, "Understand caching":
// models--{org}--{name}/snapshots/{commit}.
#include "regard/session/model_title.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace regard {
namespace {

constexpr std::string_view kHubPrefix = "models--";
constexpr std::array<std::string_view, 12> kSayNothing = {
    "model", "models", "checkpoint", "checkpoints", "final", "best",
    "last",  "latest", "output",     "out",         "hf",    "export"};

bool says_nothing(std::string_view name) {
  return name.starts_with("checkpoint-") ||
         std::find(kSayNothing.begin(), kSayNothing.end(), name) != kSayNothing.end();
}

std::string hub_id(std::string_view folder) {
  std::string id(folder.substr(kHubPrefix.size()));
  if (const std::size_t dashes = id.find("--"); dashes != std::string::npos) {
    id.replace(dashes, 2, "/");
  }
  return id;
}

}  // namespace

std::string model_title(const std::string& folder) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(folder, error);
  if (error) path = std::filesystem::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  for (const std::filesystem::path& part : path) {
    const std::string name = part.string();
    if (name.starts_with(kHubPrefix) && name.size() > kHubPrefix.size()) return hub_id(name);
  }
  const std::string name = path.filename().string();
  const std::string above = path.parent_path().filename().string();
  if (name.empty()) return folder;
  if (name == "minilm" && above == "models") return "all-MiniLM-L6-v2";  // tools/fetch_minilm.sh
  return says_nothing(name) && !above.empty() ? above + "/" + name : name;
}

}  // namespace regard
