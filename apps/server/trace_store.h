// SPDX-License-Identifier: Apache-2.0
// The traces that the page may ask for. Their arrays stay in memory within a budget; those used
// least recently are written to a file, and are then read through its map.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "regard/analysis/head_measures.h"
#include "regard/trace/trace.h"

namespace regard::server {

struct TraceSummary {
  std::string id, model, text;
  std::size_t tokens = 0;
};

// A trace and what is computed of it once.
class StoredTrace {
 public:
  explicit StoredTrace(Trace trace) : trace_(std::move(trace)) {}
  const Trace& trace() const { return trace_; }
  // Computed by whoever asks first; others wait. Throws Error kCancelled for the one that computes,
  // and the next computes anew.
  const std::vector<HeadMeasures>& measures(const CancelToken* cancel);

 private:
  const Trace trace_;
  std::mutex mutex_;
  bool measured_ = false;
  std::vector<HeadMeasures> measures_;
};

// Thread safety: any thread, but add() one at a time.
class TraceStore {
 public:
  // budget: bytes of arrays in memory. Makes a private folder below `temporary`, where traces go;
  // their names vanish at once, so nothing is left behind whatever happens.
  TraceStore(std::uint64_t budget, const std::string& temporary);
  ~TraceStore();

  // Takes a trace in and returns its id, which no other ever had. One that was read from a file
  // needs no memory. The oldest are forgotten when there are more than kMostTraces, or no room on
  // the disk.
  std::string add(Trace trace);
  // Throws Failure (404) for an id that is not known or forgotten. What is returned stays usable.
  std::shared_ptr<StoredTrace> get(const std::string& id);
  // Newest first.
  std::vector<TraceSummary> list() const;
  std::uint64_t bytes_in_memory() const;

  static constexpr std::size_t kMostTraces = 256;

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<StoredTrace> trace;
    std::uint64_t bytes = 0;  // in memory; 0: mapped from a file
    std::uint64_t used = 0;   // when, by the store's own clock
    std::uint64_t added = 0;
  };
  // The entry used least recently, of those in memory or of all; the end when there is none.
  std::list<Entry>::iterator oldest(bool in_memory);
  void move_to_disk(const std::string& id);

  const std::uint64_t budget_;
  std::string folder_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;
  std::uint64_t clock_ = 0, in_memory_ = 0;
};

// 16 hexadecimal digits that nobody can guess.
std::string random_id();

}  // namespace regard::server
