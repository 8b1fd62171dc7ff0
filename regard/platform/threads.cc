// SPDX-License-Identifier: Apache-2.0
// Loops over cores (OpenMP) whose exceptions reach the caller.
#include "regard/platform/threads.h"

#include <omp.h>

#include <algorithm>
#include <exception>

#include "regard/platform/error.h"

namespace regard {
namespace {

std::atomic<int> chosen_threads{0};  // 0: one per core

}  // namespace

void CancelToken::check() const {
  if (cancelled()) throw Error("cancelled", Error::Kind::kCancelled);
}

int thread_count() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : std::max(1, omp_get_num_procs());
}

void set_thread_count(int threads) {
  chosen_threads.store(std::max(0, threads), std::memory_order_relaxed);
}

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body,
                  const CancelToken* cancel) {
  const int threads = static_cast<int>(std::min<std::int64_t>(thread_count(), count));
  if (threads <= 1 || omp_in_parallel()) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (cancel != nullptr) cancel->check();
      body(i);
    }
    if (cancel != nullptr) cancel->check();
    return;
  }

  std::exception_ptr first;
  std::atomic<bool> stop{false};
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t i = 0; i < count; ++i) {
    if (cancel != nullptr && cancel->cancelled()) stop.store(true, std::memory_order_relaxed);
    if (stop.load(std::memory_order_relaxed)) continue;
    try {
      body(i);
    } catch (...) {
#pragma omp critical(regard_parallel_for_error)
      {
        if (!first) first = std::current_exception();
      }
      stop.store(true, std::memory_order_relaxed);
    }
  }
  if (first) std::rethrow_exception(first);
  if (cancel != nullptr) cancel->check();
}

}  // namespace regard
