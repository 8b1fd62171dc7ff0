// SPDX-License-Identifier: Apache-2.0
// Checkpoints and metrics of a run, joined by step.
#include "regard/session/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "regard/platform/json.h"
#include "regard/session/builtin_model.h"
#include "regard/training/metrics.h"

namespace regard {

std::vector<RunCheckpoint> run_checkpoints(const std::string& run) {
  const std::vector<StepMetrics> metrics = read_metrics(run);
  std::vector<RunCheckpoint> all;
  for (KeptStep& kept : checkpoints_of(run)) {
    RunCheckpoint& one = all.emplace_back();
    one.step = kept.step;
    one.folder = std::move(kept.folder);
    const auto found = std::lower_bound(
        metrics.begin(), metrics.end(), one.step,
        [](const StepMetrics& line, std::int64_t step) { return line.step < step; });
    if (found == metrics.end() || found->step != one.step) continue;
    one.loss = found->loss;
    one.held_out = found->held_out;
  }
  return all;
}

std::vector<KeptRun> kept_runs(const std::string& text) {
  std::vector<KeptRun> runs;
  for (KeptCheckpoint& kept : builtin_checkpoints())
    if (kept.trace.text == text)
      runs.push_back({.checkpoint = {.step = kept.step,
                                     .loss = kept.loss,
                                     .held_out = {},
                                     .folder = {},
                                     .note = std::move(kept.run)},
                      .trace = std::move(kept.trace)});
  return runs;
}

std::string to_json(const RunCheckpoint& checkpoint) {
  const auto number = [](std::optional<double> value) {
    return value && std::isfinite(*value) ? fmt::format("{}", *value) : std::string("null");
  };
  return fmt::format(R"({{"step":{},"loss":{},"heldOut":{},"note":{}}})", checkpoint.step,
                     number(checkpoint.loss), number(checkpoint.held_out),
                     json_quoted(checkpoint.note));
}

}  // namespace regard
