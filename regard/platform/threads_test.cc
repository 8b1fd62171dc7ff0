// SPDX-License-Identifier: Apache-2.0
#include "regard/platform/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "regard/platform/error.h"

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

}  // namespace
}  // namespace regard
