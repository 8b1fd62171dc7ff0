// SPDX-License-Identifier: Apache-2.0
// Reading documents.
#include "regard/training/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/sha256.h"
#include "regard/platform/threads.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

void check_utf8(std::string_view text, const std::string& file) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid)
      throw Error::at(file, fmt::format("byte {}", at), "UTF-8", text.substr(at, 8));
    at += point.size;
  }
}

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\f\v") == std::string_view::npos;
}

}  // namespace

void add_documents(std::string_view text, const std::string& file, DocumentRule rule,
                   std::vector<std::string>* documents) {
  check_utf8(text, file);
  std::string open;
  const auto close = [&] {
    if (!open.empty()) documents->push_back(std::move(open));
    open.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (blank(line)) {
      close();
    } else {
      if (!open.empty()) open += '\n';
      open += line;
      if (rule == DocumentRule::kLines) close();
    }
    at = end + 1;
  }
  close();
}

void add_documents_of(const std::string& path, DocumentRule rule,
                      std::vector<std::string>* documents) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) {
    const MappedFile file = MappedFile::open(path);
    const auto bytes = file.bytes();
    return add_documents({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, rule,
                         documents);
  }
  std::vector<std::string> files;
  for (auto entry = fs::recursive_directory_iterator(path, failed);
       !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed))
    if (entry->is_regular_file()) files.push_back(entry->path().string());
  if (failed) throw Error::at(path, "", "a folder that can be read", failed.message());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) add_documents_of(file, rule, documents);
}

std::string Corpus::digest() const {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(ids)));
  hash.add(std::as_bytes(std::span(starts)));
  return hash.finish();
}

Corpus encode(const Tokenizer& tokenizer, const std::vector<std::string>& documents,
              std::int64_t longest, CutOff* cut_off) {
  constexpr std::int64_t kAtOnce = 64;
  std::vector<std::vector<std::int32_t>> all(documents.size());
  const auto count = std::ssize(documents);
  parallel_for((count + kAtOnce - 1) / kAtOnce, [&](std::int64_t task) {
    for (std::int64_t i = task * kAtOnce; i < std::min(count, (task + 1) * kAtOnce); ++i)
      for (const Token& token : tokenizer.encode(documents[static_cast<std::size_t>(i)]).tokens)
        all[static_cast<std::size_t>(i)].push_back(static_cast<std::int32_t>(token.id));
  });
  Corpus corpus;
  for (const auto& ids : all) {
    if (ids.empty()) continue;
    const auto kept = std::min<std::int64_t>(longest, std::ssize(ids));
    if (cut_off != nullptr && kept < std::ssize(ids)) {
      ++cut_off->documents;
      cut_off->tokens += std::ssize(ids) - kept;
    }
    corpus.ids.insert(corpus.ids.end(), ids.begin(), ids.begin() + kept);
    corpus.starts.push_back(std::ssize(corpus.ids));
  }
  return corpus;
}

Corpus split_held_out(Corpus* corpus, double share) {
  Corpus kept, held;
  if (share <= 0) return held;
  const auto before = [&](std::int64_t i) { return std::floor(static_cast<double>(i) * share); };
  for (std::int64_t i = 0; i < corpus->size(); ++i) {
    Corpus& to = before(i + 1) > before(i) ? held : kept;
    const auto begin = corpus->ids.begin() + corpus->starts[static_cast<std::size_t>(i)];
    to.ids.insert(to.ids.end(), begin, begin + corpus->length(i));
    to.starts.push_back(std::ssize(to.ids));
  }
  *corpus = std::move(kept);
  return held;
}

}  // namespace regard
