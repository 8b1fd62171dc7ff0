// SPDX-License-Identifier: Apache-2.0
#include "regard/platform/threads.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    for (const std::int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
      for (const auto& visit : visits) EXPECT_EQ(visit.load(), 1);
    }
  }
  set_thread_count(0);
  EXPECT_GE(thread_count(), 1);
}

TEST(ParallelFor, RethrowsAnExceptionOfABodyInTheCaller) {
  set_thread_count(3);
  EXPECT_THROW(parallel_for(100,
                            [](std::int64_t i) {
                              if (i == 42) throw std::runtime_error("42");
                            }),
               std::runtime_error);
  set_thread_count(0);
}

TEST(ParallelFor, StopsWithCancelledWhenTheTokenIsCancelled) {
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    CancelToken token;
    std::atomic<int> done{0};
    try {
      parallel_for(
          100000,
          [&](std::int64_t) {
            ++done;
            token.cancel();
          },
          &token);
      FAIL() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kCancelled);
    }
    EXPECT_LT(done.load(), 100000);
  }
  set_thread_count(0);
}

TEST(ParallelFor, RunsInsideAnother) {
  std::atomic<int> done{0};
  parallel_for(4, [&](std::int64_t) { parallel_for(5, [&](std::int64_t) { ++done; }); });
  EXPECT_EQ(done.load(), 20);
}

TEST(ParallelFor, GivesEveryCallerItsOwnResultWhenManyCallAtOnce) {
  set_thread_count(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&wrong] {
      for (int round = 0; round < 2000; ++round) {
        std::vector<std::int64_t> squares(20, -1);
        parallel_for(20, [&](std::int64_t i) { squares[static_cast<std::size_t>(i)] = i * i; });
        // 0 + 1 + 4 + ... + 361
        if (std::accumulate(squares.begin(), squares.end(), std::int64_t{0}) != 2470) ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
  set_thread_count(0);
}

TEST(ParallelFor, RunsAgainAfterAnExceptionAndAfterSleep) {
  set_thread_count(2);
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(2, [](std::int64_t) { throw std::runtime_error("each"); }),
                 std::runtime_error);
    std::this_thread::sleep_for(std::chrono::microseconds(500));  // the pool's threads sleep too
    std::atomic<int> done{0};
    parallel_for(50, [&](std::int64_t) { ++done; });
    EXPECT_EQ(done.load(), 50);
  }
  set_thread_count(0);
}

TEST(ParallelFor, ShowsTheCallerWhatBodiesWroteAndBodiesWhatTheCallerWrote) {
  set_thread_count(3);
  std::vector<std::int64_t> in(64), out(64);
  for (std::int64_t round = 0; round < 2000; ++round) {
    std::iota(in.begin(), in.end(), round);
    parallel_for(64, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      out[at] = 2 * in[at];
    });
    // 2 (round + 0) + ... + 2 (round + 63)
    ASSERT_EQ(std::accumulate(out.begin(), out.end(), std::int64_t{0}), 128 * round + 64 * 63);
  }
  set_thread_count(0);
}

// The most threads that one of many loops ran in; ends with the first that ran in two.
std::size_t threads_seen() {
  std::mutex mutex;
  std::size_t most = 0;
  for (int attempt = 0; attempt < 50 && most < 2; ++attempt) {
    std::set<std::thread::id> now;
    parallel_for(30, [&](std::int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      const std::lock_guard lock(mutex);
      now.insert(std::this_thread::get_id());
    });
    most = std::max(most, now.size());
  }
  return most;
}

TEST(ParallelFor, UsesMoreThanOneThreadAndNeverMoreThanAsked) {
  set_thread_count(3);
  const std::size_t seen = threads_seen();
  EXPECT_GE(seen, 2u);
  EXPECT_LE(seen, 3u);
  set_thread_count(0);
}

TEST(ParallelFor, StartsThreadsOfItsOwnInAChildProcess) {
  set_thread_count(2);
  // The pool exists now, and its thread has begun: one that is still beginning may hold a lock of a
  // sanitizer's allocator, which the child would wait for.
  ASSERT_GE(threads_seen(), 2u);
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> done{0};
    parallel_for(100, [&](std::int64_t) { ++done; });
    if (done.load() != 100) _exit(1);
    _exit(threads_seen() >= 2 ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  set_thread_count(0);
}

// A folder with proc/self/cgroup and some groups' files.
class Cores : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  TemporaryFolder own_;
  const std::string root_ = own_.path().string();
};

TEST(CoresAllowed, AreTheQuotaRoundedUpAndNeverMoreThanThereAre) {
  EXPECT_EQ(cores_allowed(4, 1.5), 2);
  EXPECT_EQ(cores_allowed(4, 2.0), 2);
  EXPECT_EQ(cores_allowed(4, 0.1), 1);
  EXPECT_EQ(cores_allowed(4, 7.0), 4);
  EXPECT_EQ(cores_allowed(4, INFINITY), 4);
  EXPECT_EQ(cores_allowed(0, INFINITY), 1);
}

TEST_F(Cores, AreThoseOfTheMachineWithoutAQuota) {
  EXPECT_EQ(usable_cores(root_), usable_cores("/nowhere"));
  write("proc/self/cgroup", "0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_EQ(usable_cores(root_), usable_cores("/nowhere"));
}

TEST_F(Cores, AreLimitedByTheQuotaOfAGroupOrOneAroundIt) {
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/outer/cpu.max", "50000 100000\n");
  EXPECT_EQ(usable_cores(root_), 1);
}

TEST_F(Cores, AreLimitedByVersionOneToo) {
  write("proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/group\n");
  write("sys/fs/cgroup/cpu/group/cpu.cfs_quota_us", "80000\n");
  write("sys/fs/cgroup/cpu/group/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(usable_cores(root_), 1);
  write("sys/fs/cgroup/cpu/group/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(usable_cores(root_), usable_cores("/nowhere"));
}

}  // namespace
}  // namespace regard
