// SPDX-License-Identifier: Apache-2.0
// The checkpoints of a training run with the losses that it wrote of their steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace regard {

// Thread safety: a plain value.
struct RunCheckpoint {
  std::int64_t step = 0;
  std::optional<double> loss, held_out;  // nats; none of step 0, which was not taken
  std::string folder;                    // the model's, as RunRequest::model
};

// By step. Throws Error naming the folder when it holds none, or file and line of bad metrics.
std::vector<RunCheckpoint> run_checkpoints(const std::string& run);

// {"step", "loss", "heldOut"}, null where there is none.
std::string to_json(const RunCheckpoint& checkpoint);

}  // namespace regard
