// SPDX-License-Identifier: Apache-2.0
// Fetching a model from the hub. Source: huggingface_hub, file_download.py.
#include "regard/session/hub_pull.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/output_file.h"
#include "regard/platform/sha256.h"
#include "regard/session/http.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestListing = std::size_t{64} << 20;
constexpr int kTriesWithoutProgress = 3;
constexpr std::chrono::milliseconds kPause{500};

// What a model needs besides its weights.
constexpr std::string_view kSideFiles[] = {"config.json",
                                           "generation_config.json",
                                           "tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.txt",
                                           "vocab.json",
                                           "merges.txt",
                                           "tokenizer.model",
                                           "spiece.model",
                                           "sentencepiece.bpe.model",
                                           "sentencepiece.model",
                                           "spm.model",
                                           "source.spm",
                                           "target.spm"};
// Weights in the order of preference: one file, or an index and its shards.
constexpr struct {
  std::string_view single, index, stem, extension;
} kWeights[] = {{"model.safetensors", "model.safetensors.index.json", "model-", ".safetensors"},
                {"pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-", ".bin"}};

void make_folders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error::at(path, "", "a folder that can be made", error.message());
}

// A file that grows while it is fetched; nobody else writes it meanwhile.
class PartialFile {
 public:
  explicit PartialFile(std::string path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail();
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
      throw Error::at(path_, "", "a file that nobody else is fetching", "somebody who is");
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) fail();
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile() { ::close(descriptor_); }

  std::uint64_t size() const { return size_; }
  void clear() {
    if (::ftruncate(descriptor_, 0) != 0) fail();
    size_ = 0;
  }
  void append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail();
      size_ += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  std::string sha256() const {
    Sha256 hash;
    hash.add(MappedFile::open(path_).bytes());
    return hash.finish();
  }
  void rename_to(const std::string& path) {
    if (::fsync(descriptor_) != 0 || ::rename(path_.c_str(), path.c_str()) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw Error::at(path_, "", "a file that can be written", std::strerror(errno));
  }
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// One of the hub's files: what the server says of it.
struct Remote {
  std::string url, hash;
  std::uint64_t size = 0;
};

class Puller {
 public:
  Puller(const HubSettings& settings, const HubId& id, const PullProgress& progress,
         const CancelToken* cancel)
      : settings_(settings), id_(id), progress_(progress), cancel_(cancel) {}

  std::string run() {
    const std::vector<std::string> files = choose(list());
    const std::string folder = id_.folder(settings_.cache_folder);
    const std::string snapshot = folder + "/snapshots/" + commit_;
    make_folders(folder + "/blobs");
    make_folders(snapshot);
    for (const std::string& file : files) fetch(folder, snapshot, file);
    if (id_.revision != commit_) {
      const std::string reference = folder + "/refs/" + id_.revision;
      make_folders(fs::path(reference).parent_path().string());
      OutputFile out(reference);
      out.write(commit_);
      out.commit();
    }
    return id_.file.empty() ? snapshot : snapshot + "/" + id_.file;
  }

 private:
  HttpRequest request(const std::string& url) const {
    HttpRequest made;
    made.url = url;
    made.token = settings_.token;
    made.timeout = settings_.timeout;
    return made;
  }

  // Throws unless the answer is a good one.
  void check(const std::string& url, const HttpResponse& answer) const {
    if (answer.status >= 200 && answer.status < 400) return;
    if (answer.status == 0) throw Error::at(url, "", "an answer of the hub", answer.problem);
    std::string found = fmt::format("status {}", answer.status);
    if (const std::string said = answer.header("x-error-message"); !said.empty())
      found += ": " + said;
    if (answer.status == 401 || answer.status == 403)
      throw Error::at(url, "",
                      settings_.token.empty()
                          ? "a public model, or a token in HF_TOKEN that may read it"
                          : "a token in HF_TOKEN that may read this model",
                      found);
    if (answer.status == 404)
      throw Error::at(url, "", fmt::format("the model {} on the hub", id_.text()), found);
    throw Error::at(url, "", "an answer of the hub", found);
  }

  // Sends until there is an answer, a few times.
  HttpResponse ask(const HttpRequest& wanted, const Http::Body& body,
                   const std::function<void()>& again) {
    for (int left = kTriesWithoutProgress;;) {
      HttpResponse answer = http_.send(wanted, body, cancel_);
      const bool broken = !answer.problem.empty() || answer.status >= 500;
      if (!broken || --left == 0) {
        check(wanted.url, answer);
        if (!answer.problem.empty())
          throw Error::at(wanted.url, "", "a whole answer of the hub", answer.problem);
        return answer;
      }
      again();
      std::this_thread::sleep_for(kPause);
    }
  }

  // The names of the model's files; sets the commit.
  std::vector<std::string> list() {
    std::string revision;
    for (const char c : id_.revision) revision += c == '/' ? std::string("%2F") : std::string(1, c);
    const std::string url =
        fmt::format("{}/api/models/{}/revision/{}", settings_.endpoint, id_.id, revision);
    HttpRequest wanted = request(url);
    wanted.redirects = true;
    std::string text;
    ask(
        wanted,
        [&](const HttpResponse&, std::span<const std::byte> bytes) {
          if (text.size() + bytes.size() > kLargestListing)
            throw Error::at(url, "", fmt::format("at most {} bytes", kLargestListing), "more");
          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        },
        [&] { text.clear(); });
    const JsonDocument document = JsonDocument::parse(text, url);
    const Json sha = document.root().at("sha");
    const std::optional<HubId> commit = HubId::parse(sha.string());
    if (!commit || commit->id != sha.string() || commit->id.find('/') != std::string::npos)
      throw sha.wrong("the name of a commit");
    commit_ = sha.string();
    std::vector<std::string> names;
    document.root().at("siblings").for_each_element([&](std::size_t, Json file) {
      const std::string name(file.at("rfilename").string());
      // Folders of a repository hold other formats.
      const std::optional<HubId> plain = HubId::parse(name);
      if (plain && plain->id == name && name.find('/') == std::string::npos) names.push_back(name);
    });
    return names;
  }

  std::vector<std::string> choose(const std::vector<std::string>& there) const {
    const auto has = [&](std::string_view name) {
      return std::find(there.begin(), there.end(), name) != there.end();
    };
    std::vector<std::string> chosen;
    for (const std::string_view name : kSideFiles)
      if (has(name)) chosen.emplace_back(name);
    if (!id_.file.empty()) {
      if (!has(id_.file))
        throw Error::at(id_.id, "", fmt::format("the file {} on the hub", id_.file),
                        "no such file");
      chosen.push_back(id_.file);
      return chosen;
    }
    for (const auto& weights : kWeights) {
      if (has(weights.single)) {
        chosen.emplace_back(weights.single);
        return chosen;
      }
      if (!has(weights.index)) continue;
      chosen.emplace_back(weights.index);
      for (const std::string& name : there)
        if (name.starts_with(weights.stem) && name.ends_with(weights.extension))
          chosen.push_back(name);
      return chosen;
    }
    std::vector<std::string> ggufs;
    for (const std::string& name : there)
      if (name.ends_with(".gguf")) ggufs.push_back(name);
    if (ggufs.empty())
      throw Error::at(id_.id, "",
                      "model.safetensors, pytorch_model.bin, an index of one of them, or a .gguf "
                      "file on the hub",
                      "none of them");
    if (ggufs.size() > 1)
      throw Error::at(id_.id, "",
                      fmt::format("one .gguf file on the hub, or its name: {}/FILE", id_.id),
                      fmt::format("{}", fmt::join(ggufs, ", ")));
    chosen.push_back(ggufs.front());
    return chosen;
  }

  Remote look_up(const std::string& file) {
    Remote remote;
    remote.url = fmt::format("{}/{}/resolve/{}/{}", settings_.endpoint, id_.id, commit_, file);
    HttpRequest wanted = request(remote.url);
    wanted.head = true;
    const auto ignore = [](const HttpResponse&, std::span<const std::byte>) {};
    HttpResponse answer = ask(wanted, ignore, [] {});
    // A repository that was renamed redirects within the hub; to elsewhere it is the file itself.
    for (int hops = 0; hops < 5 && answer.status >= 300; ++hops) {
      const std::string where = answer.header("location");
      if (!where.starts_with('/') || where.starts_with("//")) break;
      wanted.url = remote.url = settings_.endpoint + where;
      answer = ask(wanted, ignore, [] {});
    }
    std::string tag = answer.header("x-linked-etag");
    if (tag.empty()) tag = answer.header("etag");
    if (tag.starts_with("W/")) tag.erase(0, 2);
    std::erase(tag, '"');
    const std::optional<HubId> plain = HubId::parse(tag);
    if (!plain || plain->id != tag || tag.find('/') != std::string::npos)
      throw Error::at(remote.url, "ETag", "the name of the file's content", tag);
    remote.hash = tag;
    std::string size = answer.header("x-linked-size");
    if (size.empty() && answer.status < 300) size = answer.header("content-length");
    for (const char c : size) {
      if (c < '0' || c > '9' || remote.size > (std::uint64_t{1} << 58))
        throw Error::at(remote.url, "size", "a number of bytes", size);
      remote.size = remote.size * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return remote;
  }

  void fetch(const std::string& folder, const std::string& snapshot, const std::string& file) {
    const std::string link = snapshot + "/" + file;
    std::error_code ignored;
    if (fs::exists(link, ignored)) return;
    const Remote remote = look_up(file);
    const std::string blob = folder + "/blobs/" + remote.hash;
    if (!fs::exists(blob, ignored)) download(remote, file, blob);
    fs::remove(link, ignored);
    std::error_code error;
    fs::create_symlink("../../blobs/" + remote.hash, link, error);
    if (error) throw Error::at(link, "", "a link that can be made", error.message());
  }

  void download(const Remote& remote, const std::string& file, const std::string& blob) {
    PartialFile partial(blob + ".incomplete");
    if (remote.size > 0 && partial.size() > remote.size) partial.clear();
    int left = kTriesWithoutProgress;
    while (remote.size == 0 || partial.size() < remote.size) {
      const std::uint64_t before = partial.size();
      HttpRequest wanted = request(remote.url);
      wanted.redirects = true;
      wanted.from = before;
      bool first = true;
      const HttpResponse answer = http_.send(
          wanted,
          [&](const HttpResponse& so_far, std::span<const std::byte> bytes) {
            // A server that knows no ranges begins again.
            if (first && so_far.status == 200 && partial.size() > 0) partial.clear();
            first = false;
            partial.append(bytes);
            if (remote.size > 0 && partial.size() > remote.size)
              throw Error::at(remote.url, "", fmt::format("{} bytes", remote.size), "more");
            if (progress_) progress_(file, partial.size(), remote.size);
          },
          cancel_);
      if (answer.status == 416) partial.clear();
      if (answer.problem.empty() && answer.status >= 200 && answer.status < 300 &&
          (remote.size == 0 || partial.size() == remote.size))
        break;
      if (answer.status != 416 && answer.status >= 400 && answer.status < 500)
        check(remote.url, answer);
      if (partial.size() > before) left = kTriesWithoutProgress + 1;
      if (--left == 0) {
        if (answer.status >= 400) check(remote.url, answer);
        throw Error::at(remote.url, "", fmt::format("{} bytes", remote.size),
                        fmt::format("{} bytes, then {}", partial.size(),
                                    answer.problem.empty() ? "an end" : answer.problem));
      }
      std::this_thread::sleep_for(kPause);
    }
    if (remote.hash.size() == 64) {
      if (const std::string found = partial.sha256(); found != remote.hash) {
        partial.clear();
        throw Error::at(remote.url, "", fmt::format("content of SHA-256 {}", remote.hash), found);
      }
    }
    partial.rename_to(blob);
  }

  const HubSettings& settings_;
  const HubId& id_;
  const PullProgress& progress_;
  const CancelToken* cancel_;
  Http http_;
  std::string commit_;
};

}  // namespace

std::string pull_model(const HubSettings& settings, const HubId& id, const PullProgress& progress,
                       const CancelToken* cancel) {
  if (settings.offline)
    throw Error(fmt::format("models pull {}: HF_HUB_OFFLINE forbids the network", id.text()));
  if (settings.cache_folder.empty())
    throw Error("models pull: no cache folder; set HF_HUB_CACHE, HF_HOME or HOME");
  return Puller(settings, id, progress, cancel).run();
}

}  // namespace regard
