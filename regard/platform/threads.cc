// SPDX-License-Identifier: Apache-2.0
// Loops over cores. One pool of threads serves the process. A thread without work spins for a
// moment, since the next loop of a forward pass is never far, and then sleeps; a loop waits only
// for threads that have entered it, so a busy machine costs no more than the cores it takes away.
#include "regard/platform/threads.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#include "regard/platform/cpu.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr auto kSpin = std::chrono::microseconds(60);
constexpr int kMostThreads = 4096;

std::atomic<int> chosen_threads{0};  // 0: as many as usable_cores()
thread_local bool inside_loop = false;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `value` is no longer `old`.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

// One loop: any thread that calls work() takes indices until none is left.
struct Loop {
  std::int64_t count;
  const std::function<void(std::int64_t)>* body;
  const CancelToken* cancel;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex error_mutex{};
  std::exception_ptr error{};

  void work() {
    inside_loop = true;
    while (!stop.load(std::memory_order_relaxed)) {
      if (cancel != nullptr && cancel->cancelled()) break;
      const std::int64_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) break;
      try {
        (*body)(i);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        stop.store(true, std::memory_order_relaxed);
      }
    }
    inside_loop = false;
  }
};

// Thread safety: run() may be called by any thread; one of them at a time gets the workers.
class Pool {
 public:
  // The process's pool. Never destroyed, since its threads live until the process ends. A child
  // process has none of them: it begins with a new pool in the same place.
  static Pool& instance() {
    alignas(Pool) static std::byte storage[sizeof(Pool)];
    static Pool* const pool = [] {
      pthread_atfork(nullptr, nullptr, [] { new (storage) Pool; });
      return new (storage) Pool;
    }();
    return *pool;
  }

  void run(Loop* loop, int threads) {
    const std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner) return loop->work();  // the workers are somebody else's
    start_workers(threads - 1);
    loop_ = loop;
    limit_ = static_cast<std::uint32_t>(threads - 1);
    // Opens the loop: a new generation that no worker has entered.
    generation_ = (generation_ + kGeneration) & ~(kOpen | kEntered);
    // Sequentially consistent, as is the count of sleepers that notify_all() reads: else it might
    // see none while one goes to sleep on the old value.
    state_.store(generation_ | kOpen, std::memory_order_seq_cst);
    state_.notify_all();
    loop->work();
    // Closes it, and waits for those that entered.
    std::uint32_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    while ((state & kEntered) != 0) {
      const std::uint32_t left = left_.load(std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
      if ((state & kEntered) == 0) break;
      wait_for_change(left_, left);
      state = state_.load(std::memory_order_acquire);
    }
  }

 private:
  // state_: how many workers are in the loop, whether another may enter, which loop it is.
  static constexpr std::uint32_t kEntered = 0x1FFF, kOpen = 0x2000, kGeneration = 0x4000;
  static_assert(kMostThreads < kEntered);

  void start_workers(int wanted) {
    if (workers_ >= wanted) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the program's own threads
    try {
      for (; workers_ < wanted; ++workers_) std::thread([this] { serve(); }).detach();
    } catch (const std::exception&) {
      // The system gives no more threads or no memory for one: fewer do the work.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void serve() {
    std::uint32_t served = 0;  // generation of the loop entered last
    std::uint32_t state = state_.load(std::memory_order_acquire);
    while (true) {
      const bool enter = (state & kOpen) != 0 && (state & ~(kOpen | kEntered)) != served &&
                         (state & kEntered) < limit_.load(std::memory_order_relaxed);
      if (!enter) {
        state = wait_for_change(state_, state);
        continue;
      }
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
      served = state & ~(kOpen | kEntered);
      loop_->work();
      state = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
      if ((state & (kOpen | kEntered)) == 0) {
        left_.fetch_add(1, std::memory_order_release);
        left_.notify_all();
      }
    }
  }

  std::mutex owner_;
  int workers_ = 0;
  std::uint32_t generation_ = 0;
  Loop* loop_ = nullptr;  // set while no worker is in a loop
  std::atomic<std::uint32_t> limit_{0};
  alignas(64) std::atomic<std::uint32_t> state_{0};
  alignas(64) std::atomic<std::uint32_t> left_{0};  // changes when the last worker leaves
};

}  // namespace

void CancelToken::check() const {
  if (cancelled()) throw Error("cancelled", Error::Kind::kCancelled);
}

int thread_count() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : usable_cores();
}

void set_thread_count(int threads) {
  chosen_threads.store(std::clamp(threads, 0, kMostThreads), std::memory_order_relaxed);
}

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body,
                  const CancelToken* cancel) {
  const auto threads = static_cast<int>(std::min<std::int64_t>(thread_count(), count));
  if (threads <= 1 || inside_loop) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (cancel != nullptr) cancel->check();
      body(i);
    }
  } else {
    Loop loop{count, &body, cancel};
    Pool::instance().run(&loop, threads);
    if (loop.error) std::rethrow_exception(loop.error);
  }
  if (cancel != nullptr) cancel->check();
}

}  // namespace regard
