// SPDX-License-Identifier: Apache-2.0
// Training as a program asks for it: from texts, names and numbers to a run in a folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "regard/platform/threads.h"
#include "regard/tokenizer/piece_trainer.h"
#include "regard/training/new_model.h"
#include "regard/training/run.h"

namespace regard {

// Thread safety: plain values.
struct TrainRequest {
  std::vector<std::string> corpus;                         // files and folders
  std::vector<std::pair<std::string, std::string>> texts;  // name and text, in memory already
  std::string generator;                                   // a command that writes documents
  DocumentRule rule = DocumentRule::kLines;
  std::int64_t longest = 0;  // tokens of a document; 0: the model's positions
  double held_out = 0.05;    // share of the documents, below 1

  std::string tokenizer;  // a tokenizer.json or its folder; empty: one is trained
  PieceOptions pieces;
  bool any_kind = true;  // pieces.kind follows from what the model predicts
  std::string config;    // a config.json; empty: made of `model`
  NewModel model;
  Initialization start;

  std::string objective;   // masked or causal; empty: what the architecture does
  std::string corruption;  // a JSON file of classes of words
  double choose = 0.15;    // without it
  RunOptions run;
  bool resume = false;
};

// What is about to be trained.
struct TrainPlan {
  std::int64_t parameters = 0, vocabulary = 0, documents = 0, held_out = 0, tokens = 0;
  std::int64_t steps_done = 0, steps = 0;
  std::vector<std::string> notes;
};

// Throws Error naming what is wrong with corpus, tokenizer, configuration or folder, and as
// TrainingRun::train does.
void train(const TrainRequest& request, const std::function<void(const TrainPlan&)>& begin,
           const std::function<void(const StepReport&)>& report, const CancelToken* cancel);

}  // namespace regard
