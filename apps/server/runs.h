// SPDX-License-Identifier: Apache-2.0
// Runs of models, one after the other on a thread of their own, with progress and cancelling.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "apps/server/trace_store.h"
#include "regard/platform/threads.h"

namespace regard::server {

// Where a run is.
struct RunStatus {
  enum class Phase { kWaiting, kRunning, kDone, kFailed };
  Phase phase = Phase::kWaiting;
  std::uint64_t version = 0;  // grows with every change
  double done = 0;            // share
  std::size_t before = 0;     // runs that come first
  std::string trace, error;   // of kDone, of kFailed
  bool ended() const { return phase == Phase::kDone || phase == Phase::kFailed; }
};

// What a run does; called on the thread of the runs, one at a time.
using MakeTrace = std::function<Trace(const Progress&, const CancelToken*)>;

// Thread safety: any thread. The store must outlive it, and what the runs use.
class Runs {
 public:
  explicit Runs(TraceStore& store);
  // Cancels what there is and waits for it.
  ~Runs();

  // Returns the run's id. Throws Failure (503) when kMostWaiting are waiting.
  std::string start(MakeTrace make);
  // Throw Failure (404) for an id that is not known.
  void cancel(const std::string& id);
  // Returns once the version is above `seen`, or the time is over.
  RunStatus wait(const std::string& id, std::uint64_t seen, std::chrono::milliseconds time);

  static constexpr std::size_t kMostWaiting = 16;

 private:
  struct Run {
    std::string id;
    MakeTrace make;
    CancelToken cancel;
    RunStatus status;
  };
  std::shared_ptr<Run> find(const std::string& id) const;
  void change(Run& run, const std::function<void(RunStatus&)>& how);
  void count_waiting();
  void work();
  void perform(Run& run);

  TraceStore& store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Run>> runs_;  // in the order they came, ended ones too
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace regard::server
