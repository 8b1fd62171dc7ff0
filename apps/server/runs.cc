// SPDX-License-Identifier: Apache-2.0
// The queue of runs and the thread that works on it.
#include "apps/server/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "apps/server/http_message.h"
#include "regard/platform/error.h"

namespace regard::server {
namespace {

constexpr std::size_t kMostEnded = 64;  // kept for those who ask again
constexpr double kStep = 0.005;         // of progress that is worth telling

}  // namespace

Runs::Runs(TraceStore& store) : store_(store), thread_([this] { work(); }) {}

Runs::~Runs() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& run : runs_) run->cancel.cancel();
  }
  changed_.notify_all();
  thread_.join();
}

std::shared_ptr<Runs::Run> Runs::find(const std::string& id) const {
  for (const auto& run : runs_)
    if (run->id == id) return run;
  throw Failure{404, fmt::format("run {}: not there", id)};
}

void Runs::change(Run& run, const std::function<void(RunStatus&)>& how) {
  {
    const std::lock_guard lock(mutex_);
    how(run.status);
    ++run.status.version;
    count_waiting();
  }
  changed_.notify_all();
}

// Says to each that waits how many come before it, and lets old ones go.
void Runs::count_waiting() {
  std::size_t before = 0, ended = 0;
  for (const auto& run : runs_) {
    if (run->status.ended()) {
      ++ended;
      continue;
    }
    if (run->status.before != before) ++run->status.version;
    run->status.before = before++;
  }
  for (auto at = runs_.begin(); at != runs_.end() && ended > kMostEnded;) {
    if ((*at)->status.ended()) {
      at = runs_.erase(at);
      --ended;
    } else {
      ++at;
    }
  }
}

std::string Runs::start(MakeTrace make) {
  auto run = std::make_shared<Run>();
  run->id = random_id();
  run->make = std::move(make);
  {
    const std::lock_guard lock(mutex_);
    const auto waiting = std::count_if(runs_.begin(), runs_.end(), [](const auto& one) {
      return one->status.phase == RunStatus::Phase::kWaiting;
    });
    if (static_cast<std::size_t>(waiting) >= kMostWaiting)
      throw Failure{503, fmt::format("{} runs are waiting; cancel one or try again", waiting)};
    run->status.version = 1;
    runs_.push_back(run);
    count_waiting();
  }
  changed_.notify_all();
  return run->id;
}

void Runs::cancel(const std::string& id) {
  std::shared_ptr<Run> run;
  {
    const std::lock_guard lock(mutex_);
    run = find(id);
  }
  run->cancel.cancel();
  change(*run, [](RunStatus& status) {
    if (status.phase != RunStatus::Phase::kWaiting) return;
    status.phase = RunStatus::Phase::kFailed;
    status.error = "cancelled";
  });
}

RunStatus Runs::wait(const std::string& id, std::uint64_t seen, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Run> run = find(id);
  changed_.wait_for(lock, time, [&] { return stopping_ || run->status.version > seen; });
  return run->status;
}

void Runs::work() {
  while (true) {
    std::shared_ptr<Run> next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        if (stopping_) return true;
        const auto found = std::find_if(runs_.begin(), runs_.end(), [](const auto& one) {
          return one->status.phase == RunStatus::Phase::kWaiting;
        });
        if (found != runs_.end()) next = *found;
        return next != nullptr;
      });
      if (stopping_) return;
      next->status.phase = RunStatus::Phase::kRunning;
      ++next->status.version;
    }
    changed_.notify_all();
    perform(*next);
  }
}

void Runs::perform(Run& run) {
  std::string trace, error;
  try {
    double told = 0;
    const Progress progress = [&](double done) {
      if (done - told < kStep) return;
      told = done;
      change(run, [&](RunStatus& status) { status.done = done; });
    };
    trace = store_.add(run.make(progress, &run.cancel));
  } catch (const Error& wrong) {
    error = wrong.kind() == Error::Kind::kCancelled ? "cancelled" : wrong.what();
  } catch (const std::bad_alloc&) {
    error = "out of memory; a shorter text needs less";
  } catch (const std::exception& wrong) {
    error = wrong.what();
  }
  change(run, [&](RunStatus& status) {
    status.phase = error.empty() ? RunStatus::Phase::kDone : RunStatus::Phase::kFailed;
    status.trace = trace;
    status.error = error;
  });
}

}  // namespace regard::server
