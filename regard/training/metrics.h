// SPDX-License-Identifier: Apache-2.0
// What a run writes of each step into metrics.jsonl, and reads again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace regard {

// Thread safety: a plain value.
struct StepMetrics {
  std::int64_t step = 0, tokens = 0;
  double loss = 0;  // mean cross-entropy of the predicted tokens, in nats
  double rate = 0, norm = 0, tokens_per_second = 0;
  std::optional<double> held_out;  // where it was measured after this step
};

// One line of JSON, its newline included.
std::string metrics_line(const StepMetrics& metrics);

// The lines of a run's metrics.jsonl, in order; a last line that a kill cut off is left out. None
// when there is no such file. Throws Error naming file and line.
std::vector<StepMetrics> read_metrics(const std::string& folder);

// A checkpoint of a run: a model's folder.
// Thread safety: a plain value.
struct KeptStep {
  std::int64_t step = 0;
  std::string folder;
};

// By step. Throws Error naming the folder when it holds none.
std::vector<KeptStep> checkpoints_of(const std::string& run);

}  // namespace regard
