// SPDX-License-Identifier: Apache-2.0
// The hub's cache layout. Source: huggingface_hub, file_download.py, repo_folder_name.
#include "regard/session/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "models--", kSeparator = "--";
constexpr std::size_t kLongestId = 96, kLongestRevision = 200, kLargestReference = 1000;

// Letters, digits, '.', '_' and '-', neither hidden nor leading out of a folder.
bool is_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.front() != '-' &&
         name.find("..") == name.npos && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

// Names with slashes between.
bool is_path(std::string_view path) {
  for (;;) {
    const std::size_t slash = path.find('/');
    if (!is_name(path.substr(0, slash))) return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string read_reference(const std::string& path) {
  std::string commit = read_text_file(path, kLargestReference);
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
  if (!is_name(commit)) throw Error::at(path, "", "the name of a commit", commit);
  return commit;
}

// The revisions that a model's folder has, for an error.
std::string revisions_in(const fs::path& folder) {
  std::string list;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder / "refs", error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored))
      list += (list.empty() ? "" : ", ") + at->path().lexically_relative(folder / "refs").string();
  }
  return list.empty() ? "none" : list;
}

}  // namespace

std::optional<HubId> HubId::parse(std::string_view text) {
  HubId id;
  if (const std::size_t at = text.rfind('@'); at != text.npos) {
    id.revision = text.substr(at + 1);
    text = text.substr(0, at);
    if (!is_path(id.revision) || id.revision.size() > kLongestRevision) return std::nullopt;
  }
  if (!is_path(text)) return std::nullopt;
  if (const std::size_t first = text.find('/'); first != text.npos)
    if (const std::size_t second = text.find('/', first + 1); second != text.npos) {
      id.file = text.substr(second + 1);
      text = text.substr(0, second);
      if (!is_name(id.file)) return std::nullopt;
    }
  if (text.size() > kLongestId || text.find(kSeparator) != text.npos) return std::nullopt;
  id.id = text;
  return id;
}

std::string HubId::text() const {
  return id + (file.empty() ? "" : "/" + file) + (revision == "main" ? "" : "@" + revision);
}

std::string HubId::folder(const std::string& cache) const {
  std::string name = id;
  if (const std::size_t slash = name.find('/'); slash != name.npos)
    name.replace(slash, 1, kSeparator);
  return fmt::format("{}/{}{}", cache, kPrefix, name);
}

std::optional<std::string> find_snapshot(const std::string& cache, const HubId& id) {
  if (cache.empty()) return std::nullopt;
  const std::string folder = id.folder(cache);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::nullopt;
  const std::string reference = folder + "/refs/" + id.revision;
  std::string commit = id.revision;
  const bool named = fs::is_regular_file(reference, ignored);
  if (named) commit = read_reference(reference);
  const std::string snapshot = folder + "/snapshots/" + commit;
  if (!fs::is_directory(snapshot, ignored)) {
    if (named)
      throw Error::at(reference, "", "the commit of a snapshot in " + folder + "/snapshots",
                      commit);
    throw Error::at(folder, "", fmt::format("the revision {}", id.revision),
                    fmt::format("the revisions {}", revisions_in(folder)));
  }
  if (id.file.empty()) return snapshot;
  const std::string file = snapshot + "/" + id.file;
  if (!fs::exists(fs::status(file, ignored)))
    throw Error::at(snapshot, "", fmt::format("the file {}", id.file), "no such file");
  return file;
}

std::vector<HubId> list_references(const std::string& cache) {
  std::vector<HubId> found;
  if (cache.empty()) return found;
  std::error_code error;
  for (fs::directory_iterator at(cache, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    name.erase(0, kPrefix.size());
    if (const std::size_t dashes = name.find(kSeparator); dashes != name.npos)
      name.replace(dashes, kSeparator.size(), "/");
    const fs::path references = at->path() / "refs";
    std::error_code inner;
    for (fs::recursive_directory_iterator ref(references, inner), last; !inner && ref != last;
         ref.increment(inner)) {
      std::error_code ignored;
      if (!ref->is_regular_file(ignored)) continue;
      HubId id;
      id.id = name;
      id.revision = ref->path().lexically_relative(references).string();
      found.push_back(std::move(id));
    }
  }
  std::sort(found.begin(), found.end(), [](const HubId& a, const HubId& b) {
    return std::pair(a.id, a.revision) < std::pair(b.id, b.revision);
  });
  return found;
}

}  // namespace regard
