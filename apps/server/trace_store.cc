// SPDX-License-Identifier: Apache-2.0
// Traces in memory and on disk, by when they were last used.
#include "apps/server/trace_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>

#include "apps/server/http_message.h"
#include "regard/platform/error.h"

namespace regard::server {

std::string random_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

const std::vector<HeadMeasures>& StoredTrace::measures(const CancelToken* cancel) {
  const std::lock_guard lock(mutex_);
  if (!measured_) measures_ = measure_heads(trace_, trace_.heads(), {}, cancel);
  measured_ = true;
  return measures_;
}

TraceStore::TraceStore(std::uint64_t budget, const std::string& temporary) : budget_(budget) {
  folder_ = temporary + "/regard-XXXXXX";
  if (::mkdtemp(folder_.data()) == nullptr)
    throw Error::at(temporary, "", "a folder to write traces to", std::strerror(errno));
}

TraceStore::~TraceStore() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::list<TraceStore::Entry>::iterator TraceStore::oldest(bool in_memory) {
  auto found = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at)
    if ((!in_memory || at->bytes > 0) && (found == entries_.end() || at->used < found->used))
      found = at;
  return found;
}

std::string TraceStore::add(Trace trace) {
  Entry entry;
  entry.id = random_id();
  entry.bytes =
      trace.file.empty() ? std::max<std::uint64_t>(1, trace_file_size(trace)) : std::uint64_t{0};
  entry.trace = std::make_shared<StoredTrace>(std::move(trace));
  std::string id = entry.id;
  std::optional<std::string> victim;
  const auto next_victim = [&] {
    victim.reset();
    while (entries_.size() > kMostTraces) {
      in_memory_ -= oldest(false)->bytes;
      entries_.erase(oldest(false));
    }
    if (in_memory_ > budget_) victim = oldest(true)->id;
  };
  {
    const std::lock_guard lock(mutex_);
    entry.used = entry.added = ++clock_;
    in_memory_ += entry.bytes;
    entries_.push_back(std::move(entry));
    next_victim();
  }
  while (victim) {
    move_to_disk(*victim);
    const std::lock_guard lock(mutex_);
    next_victim();
  }
  return id;
}

// Written without the lock, so that nobody waits for the disk.
void TraceStore::move_to_disk(const std::string& id) {
  std::shared_ptr<StoredTrace> held, mapped;
  {
    const std::lock_guard lock(
        mutex_);  // not get(): it stays the one that was not used for longest
    for (const Entry& entry : entries_)
      if (entry.id == id) held = entry.trace;
  }
  if (held == nullptr) return;
  const std::string path = folder_ + "/" + id + ".safetensors";
  try {
    write_trace(held->trace(), path);
    Trace trace = read_trace(path);
    trace.file.clear();  // its name is no longer anybody's business
    mapped = std::make_shared<StoredTrace>(std::move(trace));
  } catch (const Error&) {
    // No room: the trace is forgotten below.
  }
  ::unlink(path.c_str());
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.id == id; });
  if (found == entries_.end()) return;
  in_memory_ -= found->bytes;
  found->bytes = 0;
  if (mapped == nullptr)
    entries_.erase(found);
  else
    found->trace = std::move(mapped);
}

std::shared_ptr<StoredTrace> TraceStore::get(const std::string& id) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_)
    if (entry.id == id) {
      entry.used = ++clock_;
      return entry.trace;
    }
  throw Failure{404, fmt::format("trace {}: not there; it was never made, or it was forgotten to "
                                 "make room for others",
                                 id)};
}

std::vector<TraceSummary> TraceStore::list() const {
  constexpr std::size_t kMostText = 200;  // bytes, cut where a character begins
  const std::lock_guard lock(mutex_);
  std::vector<TraceSummary> traces;
  for (auto at = entries_.rbegin(); at != entries_.rend(); ++at) {
    const Trace& trace = at->trace->trace();
    std::string text = trace.text;
    if (text.size() > kMostText) {
      std::size_t end = kMostText;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
      text.resize(end);
    }
    traces.push_back({at->id, trace.model, std::move(text), trace.tokens.size()});
  }
  return traces;
}

std::uint64_t TraceStore::bytes_in_memory() const {
  const std::lock_guard lock(mutex_);
  return in_memory_;
}

}  // namespace regard::server
