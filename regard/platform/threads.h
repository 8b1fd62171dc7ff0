// SPDX-License-Identifier: Apache-2.0
// Loops over cores, cancelling, and progress.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace regard {

// Thread safety: any thread may cancel or ask.
class CancelToken {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Throws Error of kind kCancelled once cancel() was called.
  void check() const;

 private:
  std::atomic<bool> cancelled_{false};
};

// Called from the computing thread with the share done, 0 to 1.
using Progress = std::function<void(double done)>;

// Threads that parallel_for uses: as set, else usable_cores() (cpu.h; again after
// set_thread_count(0)).
int thread_count();
void set_thread_count(int threads);

// Calls body(i) for i in [0, count), in any order, in the calling thread and those of the
// process's one pool. The first exception that a body throws is rethrown here after all threads
// have stopped; a cancelled token stops the loop with Error kCancelled. Runs in the calling thread
// alone when count is 1, inside another parallel_for, and while another thread's loop has the pool.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body,
                  const CancelToken* cancel = nullptr);

}  // namespace regard
