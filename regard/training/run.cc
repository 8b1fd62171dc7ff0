// SPDX-License-Identifier: Apache-2.0
// Steps, measures, and what is kept of them. Which documents a step takes and how they are
// corrupted follows from the seed and the step's number, so only parameters and moments are state.
#include "regard/training/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <new>
#include <numeric>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/error.h"
#include "regard/platform/output_file.h"
#include "regard/platform/sha256.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "1";

TensorView view_of(std::span<const float> values) {
  return {DType::kF32, {std::ssize(values)}, reinterpret_cast<const std::byte*>(values.data())};
}

void make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw Error::at(folder.string(), "", "a folder", failed.message());
}

void write_text(const fs::path& path, std::string_view text) {
  OutputFile file(path.string());
  file.write(text);
  file.commit();
}

// Holds a folder against other processes.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    const bool taken = file_ >= 0 && errno == EWOULDBLOCK;
    if (file_ >= 0) ::close(file_);
    // Where a file system has no locks, nobody is kept out.
    file_ = -1;
    if (taken)
      throw Error::at(folder, "", "a run that nobody trains", "another process that trains it");
  }
  ~FolderLock() {
    if (file_ >= 0) ::close(file_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_;
};

// A stream of numbers of its own for each purpose, epoch or step.
Random stream(std::uint64_t seed, std::uint64_t purpose, std::int64_t number) {
  Random mixed(seed ^ (purpose << 56));
  return Random(mixed.next() + static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15u);
}
// Fisher & Yates.
void mix(std::span<std::int64_t> values, Random* random) {
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1],
              values[static_cast<std::size_t>(random->below(static_cast<std::int64_t>(i)))]);
}

constexpr std::uint64_t kOrder = 1, kCorrupt = 2, kHeldOut = 3;

}  // namespace

struct TrainingRun::State {
  State(Trainable given, const RunOptions& chosen)
      : model(std::move(given)),
        options(chosen),
        gradients(&model),
        optimizer(&model, chosen.optimizer) {}

  fs::path file(const char* name) const { return fs::path(options.folder) / name; }

  // Every option that changes the result.
  std::map<std::string, std::string> fingerprint() const {
    std::map<std::string, std::string> all = options.also;
    const ScheduleOptions& s = options.schedule;
    const OptimizerOptions& o = options.optimizer;
    all["batch"] = fmt::format("{}", options.batch);
    all["accumulate"] = fmt::format("{}", options.accumulate);
    all["seed"] = fmt::format("{}", options.seed);
    all["shuffle"] = fmt::format("{}", options.shuffle);
    all["group"] = fmt::format("{}", options.group);
    all["rate"] = fmt::format("{}", s.rate);
    all["warm-up"] = fmt::format("{}", s.warm_up);
    all["steps"] = fmt::format("{}", s.steps);
    all["hold"] = fmt::format("{}", s.hold);
    all["last-rate"] = fmt::format("{}", s.last);
    all["curve"] = s.curve == Curve::kCosine ? "cosine" : "linear";
    all["betas"] = fmt::format("{} {}", o.beta1, o.beta2);
    all["epsilon"] = fmt::format("{}", o.epsilon);
    all["decay"] = fmt::format("{}{}", o.decay, o.decay_all ? " of all" : "");
    all["clip"] = fmt::format("{}", o.clip);
    all["config"] = sha256_of(model.config());
    all["tokenizer"] = sha256_of(tokenizer);
    all["corpus"] = corpus.digest();
    all["objective"] = options.corruption ? "masked" : "causal";
    return all;
  }

  Trainable model;
  RunOptions options;
  Gradients gradients;
  AdamW optimizer;
  Corpus corpus, held_out;
  std::string tokenizer;
  std::vector<std::int64_t> order;  // of the epoch
  std::int64_t epoch = -1;
  std::ofstream metrics;
  std::string last_checkpoint;
  std::optional<double> last_held_out;
  std::optional<Batch> last_batch;
  std::optional<FolderLock> lock;

  Batch batch_of(const Corpus& from, std::span<const std::int64_t> which, double done,
                 Random* random) const {
    return options.corruption ? masked_batch(from, which, *options.corruption, done, random)
                              : causal_batch(from, which);
  }

  // The document that is n-th of all that a run takes.
  std::int64_t document(std::int64_t n) {
    const std::int64_t wanted = n / corpus.size();
    if (wanted != epoch) {
      epoch = wanted;
      order.resize(static_cast<std::size_t>(corpus.size()));
      std::iota(order.begin(), order.end(), 0);
      Random random = stream(options.seed, kOrder, epoch);
      if (options.shuffle) mix(order, &random);
      if (options.group > 0) group_by_length(&random);
    }
    return order[static_cast<std::size_t>(n % corpus.size())];
  }

  void group_by_length(Random* random) {
    const auto batch = static_cast<std::size_t>(options.batch);
    const std::size_t group = batch * static_cast<std::size_t>(options.group);
    std::vector<std::int64_t> out;
    for (std::size_t begin = 0; begin < order.size(); begin += group) {
      const std::size_t end = std::min(order.size(), begin + group);
      std::stable_sort(
          order.begin() + static_cast<std::ptrdiff_t>(begin),
          order.begin() + static_cast<std::ptrdiff_t>(end),
          [&](std::int64_t a, std::int64_t b) { return corpus.length(a) < corpus.length(b); });
      std::vector<std::int64_t> batches;
      for (std::size_t at = begin; at + batch <= end; at += batch)
        batches.push_back(static_cast<std::int64_t>(at));
      mix(batches, random);
      for (const std::int64_t at : batches)
        out.insert(out.end(), order.begin() + at, order.begin() + at + options.batch);
      // What is left of the last group, less than a batch.
      out.insert(out.end(), order.begin() + std::ssize(out),
                 order.begin() + static_cast<std::ptrdiff_t>(end));
    }
    order = std::move(out);
  }

  StepMetrics step(std::int64_t number) {
    Random random = stream(options.seed, kCorrupt, number);
    std::vector<Batch> batches;
    std::int64_t predicted = 0;
    const double done_before =
        static_cast<double>(number - 1) / static_cast<double>(options.schedule.steps);
    StepMetrics done;
    for (std::int64_t pass = 0; pass < options.accumulate; ++pass) {
      std::vector<std::int64_t> which;
      const std::int64_t first = ((number - 1) * options.accumulate + pass) * options.batch;
      for (std::int64_t i = 0; i < options.batch; ++i) which.push_back(document(first + i));
      batches.push_back(batch_of(corpus, which, done_before, &random));
      // In few tokens it may be that none is chosen: then again.
      for (int draw = 0; draw < 100 && options.corruption && batches.back().position.empty();
           ++draw)
        batches.back() = batch_of(corpus, which, done_before, &random);
      predicted += std::ssize(batches.back().position);
      done.tokens += std::ssize(batches.back().input.ids);
    }
    if (predicted == 0)
      throw Error("corpus: expected documents with tokens to be predicted, found a batch without");
    double loss = 0;
    const float weight = 1.0f / static_cast<float>(predicted);
    for (const Batch& batch : batches) loss += gradients.add(batch, weight);
    done.step = number;
    done.rate = rate_at(options.schedule, number);
    done.norm = optimizer.step(done.rate);
    done.loss = loss / static_cast<double>(predicted);
    last_batch = std::move(batches.back());
    return done;
  }

  void write_model(const fs::path& folder) const {
    model.save(folder.string());
    write_text(folder / "tokenizer.json", tokenizer);
  }

  // Throws Error when what would be saved gives no finite loss for the last batch.
  void check_good() const {
    if (last_batch) loss_of(model.model(), *last_batch);
  }

  void save() {
    check_good();
    const std::int64_t number = optimizer.steps();
    const fs::path folder = file("checkpoints") / fmt::format("step-{:08}", number);
    fs::path temporary = folder;
    temporary += ".part";
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    make_folder(temporary);
    write_model(temporary);
    fs::remove_all(folder, ignored);
    fs::rename(temporary, folder, ignored);
    if (ignored) throw Error::at(folder.string(), "", "a folder", ignored.message());
    write_model(options.folder);
    std::map<std::string, std::string> metadata = {{"regard.train", kFormat},
                                                   {"step", fmt::format("{}", number)}};
    for (const auto& [name, value] : fingerprint()) metadata["option." + name] = value;
    write_safetensors(file("state.safetensors").string(),
                      {{"values", view_of(model.values())},
                       {"first", view_of(optimizer.first().span())},
                       {"second", view_of(optimizer.second().span())}},
                      metadata);
    last_checkpoint = folder.string();
  }

  // Takes the run up where it was saved. One that was killed before it had saved anything is begun
  // again.
  void load() {
    const std::string path = file("state.safetensors").string();
    if (!fs::exists(path)) {
      if (!fs::exists(file("metrics.jsonl")) && !fs::exists(file("checkpoints")))
        throw Error::at(options.folder, "", "a run to go on with", "none");
      return;
    }
    const SafetensorsFile saved = SafetensorsFile::open(path);
    const auto meta = [&](const std::string& name) {
      const auto found = saved.metadata().find(name);
      return found == saved.metadata().end() ? std::string("nothing") : found->second;
    };
    if (meta("regard.train") != kFormat)
      throw Error::at(path, "regard.train", kFormat, meta("regard.train"));
    for (const auto& [name, value] : fingerprint())
      if (meta("option." + name) != value)
        throw Error::at(
            path, name, fmt::format("{}, as this run has it", value),
            fmt::format("{}: the checkpoint is of another configuration", meta("option." + name)));
    const Shape size{std::ssize(model.values())};
    const auto read = [&](const char* name, std::span<float> to) {
      convert_to_f32(saved.at(name, DType::kF32, size), to);
    };
    read("values", model.values());
    read("first", optimizer.first().span());
    read("second", optimizer.second().span());
    const std::string text = meta("step");
    std::int64_t step = -1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (failed != std::errc() || end != text.data() + text.size() || step < 0 ||
        step > options.schedule.steps)
      throw Error::at(path, "step", fmt::format("a number of 0 to {}", options.schedule.steps),
                      text);
    optimizer.set_steps(step);
    last_checkpoint = (file("checkpoints") / fmt::format("step-{:08}", optimizer.steps())).string();
  }

  // Opens metrics.jsonl to go on after the current step; later lines are of steps that were lost.
  void open_metrics() {
    std::string kept;
    for (const StepMetrics& line : read_metrics(options.folder))
      if (line.step <= optimizer.steps()) {
        kept += metrics_line(line);
        if (line.held_out) last_held_out = line.held_out;
      }
    write_text(file("metrics.jsonl"), kept);
    metrics.open(file("metrics.jsonl"), std::ios::app);
  }

  void write_metrics(const StepMetrics& line) {
    metrics << metrics_line(line);
    metrics.flush();
    if (!metrics) throw Error::at(file("metrics.jsonl").string(), "", "room to write", "a failure");
  }
};

TrainingRun::TrainingRun(Trainable model, Corpus corpus, Corpus held_out, std::string tokenizer,
                         const RunOptions& options, bool resume)
    : state_(std::make_unique<State>(std::move(model), options)) {
  if (corpus.size() == 0) throw Error("corpus: expected documents, found none");
  if (corpus.size() < options.batch)
    throw Error(fmt::format("corpus: expected at least a batch of {} documents, found {}",
                            options.batch, corpus.size()));
  for (const std::int32_t id : corpus.ids)
    if (id < 0 || id >= state_->model.model().spec().vocabulary)
      throw Error(fmt::format("corpus: expected ids below the model's vocabulary of {}, found {}",
                              state_->model.model().spec().vocabulary, id));
  state_->corpus = std::move(corpus);
  state_->held_out = std::move(held_out);
  state_->tokenizer = std::move(tokenizer);
  if (!resume) make_folder(options.folder);
  if (fs::exists(options.folder)) state_->lock.emplace(options.folder);
  if (resume)
    state_->load();
  else if (fs::exists(state_->file("state.safetensors")))
    throw Error::at(options.folder, "", "a folder without a run, or --resume",
                    "state.safetensors of a run");
  state_->open_metrics();
}

TrainingRun::~TrainingRun() = default;

std::int64_t TrainingRun::step() const { return state_->optimizer.steps(); }
Trainable& TrainingRun::model() { return state_->model; }

std::optional<double> TrainingRun::held_out_loss() {
  State& s = *state_;
  constexpr std::int64_t kAtOnce = 32;
  double loss = 0;
  std::int64_t predicted = 0;
  Random random = stream(s.options.seed, kHeldOut, 0);
  for (std::int64_t first = 0; first < s.held_out.size(); first += kAtOnce) {
    std::vector<std::int64_t> which(
        static_cast<std::size_t>(std::min(kAtOnce, s.held_out.size() - first)));
    std::iota(which.begin(), which.end(), first);
    const Batch batch = s.batch_of(s.held_out, which, 0, &random);
    if (batch.position.empty()) continue;
    loss += loss_of(s.model.model(), batch);
    predicted += std::ssize(batch.position);
  }
  if (predicted == 0) return std::nullopt;
  return loss / static_cast<double>(predicted);
}

void TrainingRun::train(const std::function<void(const StepReport&)>& report,
                        const CancelToken* cancel) {
  State& s = *state_;
  const std::int64_t steps = s.options.schedule.steps, first = s.optimizer.steps();
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  Clock::time_point before = begin;
  const auto seconds = [](auto span) { return std::chrono::duration<double>(span).count(); };
  if (first == 0) s.save();  // what it starts from
  for (std::int64_t number = first + 1; number <= steps; ++number) {
    const auto due = [&](std::int64_t every) {
      return number == steps || (every > 0 && number % every == 0);
    };
    StepReport now;
    now.steps = steps;
    StepMetrics& line = now.metrics;
    bool stop = false;
    try {
      line = s.step(number);
      const Clock::time_point after = Clock::now();
      line.tokens_per_second =
          static_cast<double>(line.tokens) / std::max(1e-9, seconds(after - before));
      if (due(s.options.evaluate_every)) s.last_held_out = line.held_out = held_out_loss();
      now.held_out = s.last_held_out;
      s.write_metrics(line);
      stop = cancel != nullptr && cancel->cancelled();
      if (stop || due(s.options.save_every)) {
        s.save();
        now.saved = s.last_checkpoint;
      }
    } catch (const Error& error) {
      throw Error(fmt::format("step {}: {}; the last good checkpoint is {}", number, error.what(),
                              s.last_checkpoint),
                  error.kind());
    } catch (const std::bad_alloc&) {
      throw Error(fmt::format("step {}: no memory is left; the last good checkpoint is {}", number,
                              s.last_checkpoint));
    }
    before = Clock::now();
    now.seconds_left = seconds(before - begin) / static_cast<double>(number - first) *
                       static_cast<double>(steps - number);
    if (report) report(now);
    if (stop && number < steps)
      throw Error(fmt::format("stopped after step {} of {}, saved in {}; --resume goes on", number,
                              steps, s.last_checkpoint),
                  Error::Kind::kCancelled);
  }
}

}  // namespace regard
