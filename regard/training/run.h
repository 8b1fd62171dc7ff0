// SPDX-License-Identifier: Apache-2.0
// A training run in a folder, which can be stopped at any moment and continued bit for bit:
//   config.json, model.safetensors, tokenizer.json   the model as last saved, for transformers
//   checkpoints/step-00000100/                       the same, of each save
//   state.safetensors                                what is needed to continue
//   metrics.jsonl                                    a line a step
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "regard/platform/threads.h"
#include "regard/training/backward.h"
#include "regard/training/corpus.h"
#include "regard/training/metrics.h"
#include "regard/training/objective.h"
#include "regard/training/optimizer.h"
#include "regard/training/trainable.h"

namespace regard {

// Thread safety: a plain value.
struct RunOptions {
  std::string folder;
  std::int64_t batch = 32;      // documents of a pass
  std::int64_t accumulate = 1;  // passes of a step
  std::uint64_t seed = 1;
  bool shuffle = true;  // in each epoch anew; else in the corpus's order
  // So many batches' documents are sorted by length and these batches shuffled, so that a batch has
  // documents of about the same length and short ones weigh as much as long ones; 0: not so.
  std::int64_t group = 0;
  std::int64_t save_every = 500, evaluate_every = 500;  // steps; 0: at the end only
  std::optional<Corruption> corruption;                 // none: predict the next token
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  // What else must be the same when a run is continued: name and value.
  std::map<std::string, std::string> also;
};

struct StepReport {
  StepMetrics metrics;
  std::int64_t steps = 0;  // of the run
  double seconds_left = 0;
  std::optional<double> held_out;  // the last one measured
  std::string saved;               // the checkpoint that was written after this step, or empty
};

// Thread safety: one caller at a time.
class TrainingRun {
 public:
  // tokenizer: the text of tokenizer.json. Continues the run that the folder holds when `resume`.
  // Throws Error when the corpus has fewer documents than a batch, the folder holds a run and
  // `resume` is false, or the run that it holds was made with other options: then it names them.
  TrainingRun(Trainable model, Corpus corpus, Corpus held_out, std::string tokenizer,
              const RunOptions& options, bool resume);
  ~TrainingRun();

  // All steps that are left. Throws Error naming the step when a loss, a gradient or a parameter
  // that would be saved is no number or gives such a loss (the last checkpoint stands), when the
  // disk is full, and kCancelled when `cancel` was asked for: after the step is done and saved.
  void train(const std::function<void(const StepReport&)>& report = {},
             const CancelToken* cancel = nullptr);

  std::int64_t step() const;
  // Mean cross-entropy of the held-out documents; nothing when there are none.
  std::optional<double> held_out_loss();
  Trainable& model();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace regard
