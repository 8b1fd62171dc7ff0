// SPDX-License-Identifier: Apache-2.0
// The checkpoints of a training run with the losses that it wrote of their steps, and those that
// the program keeps of its own model's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "regard/trace/trace.h"

namespace regard {

// Thread safety: a plain value.
struct RunCheckpoint {
  std::int64_t step = 0;
  std::optional<double> loss, held_out;  // nats; none of step 0, which was not taken
  std::string folder;                    // the model's, as RunRequest::model; empty: kept
  std::string note;                      // which training, where that must be said
};

// A text at a checkpoint of the program's own model. Thread safety: a plain value.
struct KeptRun {
  RunCheckpoint checkpoint;
  Trace trace;
};
// Of this text, by step; none for a text that was not kept.
std::vector<KeptRun> kept_runs(const std::string& text);

// By step. Throws Error naming the folder when it holds none, or file and line of bad metrics.
std::vector<RunCheckpoint> run_checkpoints(const std::string& run);

// {"step", "loss", "heldOut", "note"}; null: there is no such loss.
std::string to_json(const RunCheckpoint& checkpoint);

}  // namespace regard
