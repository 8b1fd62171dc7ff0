// SPDX-License-Identifier: Apache-2.0
// The one facade: everything that the terminal, the page and Python can ask. Start here.
// Thread safety: the structs are plain values; of Session see below.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "regard/analysis/explain.h"
#include "regard/analysis/view.h"
#include "regard/model/generation.h"
#include "regard/model/model.h"
#include "regard/platform/threads.h"
#include "regard/session/settings.h"
#include "regard/tokenizer/tokenizer.h"
#include "regard/trace/trace.h"

namespace regard {

struct RunRequest {
  std::string model;  // folder or short name; empty: the default
  std::string text;
  std::optional<std::string> pair;
  std::vector<std::int64_t> ids;  // used as they are instead of the text when `use_ids`
  bool use_ids = false;
  bool untrained = false;     // the same architecture with random weights: Model::open
  bool truncate = false;      // cut to the model's limit instead of failing
  bool half = false;          // queries, keys and values rounded to fp16 before attention
  std::vector<int> layers;    // record only these; empty: all
  std::vector<HeadId> heads;  // record only these; empty: all
  // The decoder's side of an encoder-decoder model: a text, before which the model's first decoder
  // token is put, or ids as they are.
  std::optional<std::string> target;
  std::vector<std::int64_t> target_ids;
  bool use_target_ids = false;
  // Which attention is recorded; unless said, cross where a target is there or made, else encoder.
  std::optional<AttentionKind> kind;
  GenerationOptions generation{.tokens = 0};  // continue the text (or target) before recording
};

struct Generated {
  std::vector<std::int64_t> ids;  // the new tokens
  std::string text;               // the whole text, or the whole target
};

// What a recording is going to be, known before the model runs.
struct RecordPlan {
  std::int64_t tokens = 0, keys = 0;  // of the rows and of the columns
  std::int64_t heads = 0, layers = 0;
  std::uint64_t bytes = 0;         // of the file, to within some kilobytes
  std::vector<std::string> notes;  // what was changed on the way
};

struct ViewRequest {
  Level level = Level::kWord;
  std::optional<int> layer, head;  // narrow the choice; both: that head
  std::vector<HeadId> heads;       // these heads, in this order
  bool mean = false;               // the mean of the heads that the above allows
  bool one_head = false;           // of a mean that the model's makers chose, one of its heads
  bool all_heads = false;          // every head that the above allows
  bool specials = true;            // show special tokens
  bool sinks = true;               // without_sinks() unless
  Part part = Part::kAll;          // of the two texts of a pair
  std::optional<double> keep_mass;
  // The unit in question, as find_unit takes it: a head that nobody named is chosen by this unit's
  // strongest link, and only its links are listed.
  std::optional<std::string> word;
  std::size_t links = 12;
  // A map too large to hold (long_text.h) is pooled, or of `word` what it attends to most is shown;
  // or, for exports, rows are computed as they are read (HeadMap::read). The notes say which.
  bool stream = false;
};

struct ModelEntry {
  std::string name, path, note;  // note: why it cannot be opened, or what it lacks
  bool opens = false;
  std::string architecture;
  std::int64_t layers = 0, heads = 0;
  std::int64_t decoder_layers = 0, decoder_heads = 0;  // of an encoder-decoder model
  std::int64_t bytes = 0;
};

// Thread safety: one caller at a time of what is not const; const members from any thread, also
// meanwhile.
class Session {
 public:
  explicit Session(Settings settings);
  ~Session();

  const Settings& settings() const;

  // The folder that a model name stands for. Throws Error saying what was looked for and where.
  std::string resolve(const std::string& model) const;
  std::shared_ptr<const Model> open_model(const std::string& model, bool untrained = false);
  // Null when the folder has no tokenizer. target: what an encoder-decoder model's target is cut
  // by.
  std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& model, bool target = false);
  std::vector<ModelEntry> list_models() const;

  // Tokenise only: the trace without layers, in full length. Throws Error for an empty text and for
  // a text without a tokenizer. Invalid UTF-8 becomes U+FFFD, said in the notes.
  Trace encode(const RunRequest& request);
  // Tokenise and run the model, recording. Notes in the trace say what was changed on the way.
  Trace run(const RunRequest& request, const Progress& progress = {},
            const CancelToken* cancel = nullptr);
  // Runs and writes the trace file layer by layer: memory holds the weights, the activations and
  // one layer's record. `announce` is called once, before the model runs and after disk space was
  // set aside. Throws Error like run(), and when the file cannot be written; then no file appears
  // and an older one stays. Returns the file's size.
  std::uint64_t record(const RunRequest& request, const std::string& path,
                       const std::function<void(const RecordPlan&)>& announce,
                       const Progress& progress = {}, const CancelToken* cancel = nullptr);
  // Continues the text, or writes the target, without recording. REQUIRES: generation.tokens > 0.
  Generated generate_text(const RunRequest& request, const Progress& progress = {},
                          const CancelToken* cancel = nullptr);
  Trace open_trace(const std::string& path) const;
  // Ready-made weights: [query, key], [head, query, key] or [layer, head, query, key] in a .npy
  // file, and a text file with one label a line.
  Trace from_matrices(const std::string& npy, const std::string& labels) const;

  // A view with streamed maps must not outlive the trace.
  View view(const Trace& trace, const ViewRequest& request,
            const CancelToken* cancel = nullptr) const;
  // The heads a request allows, ascending.
  std::vector<HeadId> select_heads(const Trace& trace, const ViewRequest& request) const;
  // Index of the unit that `word` names: its text (exact, else ignoring case), or text#2 for its
  // second occurrence, or @7 for the unit of that index. Throws Error (usage) listing the units.
  std::int64_t find_unit(const std::vector<Unit>& units, const std::string& word) const;

 private:
  struct Prepared;  // prepared.h
  Prepared prepare(const RunRequest& request, const Progress& progress, const CancelToken* cancel);
  Trace encode(const RunRequest& request, const Tokenizer* tokenizer);
  // The decoder's side, and what is generated.
  void continue_text(const RunRequest& request, Prepared* prepared, const Progress& progress,
                     const CancelToken* cancel);

  struct State;
  std::unique_ptr<State> state_;
};

// What this program is made of, for `regard --version`.
std::string version_report();

}  // namespace regard
