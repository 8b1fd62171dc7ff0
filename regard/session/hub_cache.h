// SPDX-License-Identifier: Apache-2.0
// The cache of the model hub on this machine: models--ORG--NAME/refs/REVISION names a commit,
// snapshots/COMMIT/FILE links to blobs/HASH. Source: huggingface_hub, "Understand caching".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regard {

// A model on the hub: "ORG/NAME", "NAME", each with "@REVISION" or "/FILE" or both behind it
// ("ORG/NAME/model.gguf@v1").
struct HubId {
  std::string id;
  std::string revision = "main";
  std::string file;  // empty: the model's folder

  // Nothing when the text has not the hub's form.
  static std::optional<HubId> parse(std::string_view text);
  std::string text() const;
  // Its folder in a cache.
  std::string folder(const std::string& cache) const;
};

// The folder of the snapshot (or the file in it) that the cache has, or nothing when it knows
// nothing of the model. Throws Error when the model is there, but not this revision or file, or
// when a reference is broken.
std::optional<std::string> find_snapshot(const std::string& cache, const HubId& id);

// Every model and revision that a reference of the cache names, sorted.
std::vector<HubId> list_references(const std::string& cache);

}  // namespace regard
