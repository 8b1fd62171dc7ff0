// SPDX-License-Identifier: Apache-2.0
// From a request to a run.
#include "regard/session/training.h"

#include <fmt/format.h>

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "regard/model/model_spec.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/output_file.h"
#include "regard/platform/sha256.h"
#include "regard/render/curves.h"

namespace regard {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLargestJson = std::size_t{256} << 20;

// What the command writes to its standard output. Throws Error when it fails.
std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw Error::at(command, "", "a command", std::strerror(errno));
  std::string out;
  std::array<char, 65536> part;
  for (std::size_t got; (got = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
    out.append(part.data(), got);
  const int status = ::pclose(pipe);
  if (status != 0)
    throw Error::at(command, "", "the exit status 0",
                    fmt::format("{}", WIFEXITED(status) ? WEXITSTATUS(status) : status));
  return out;
}

std::vector<std::string> documents_of(const TrainRequest& request) {
  std::vector<std::string> documents;
  for (const std::string& path : request.corpus) add_documents_of(path, request.rule, &documents);
  for (const auto& [name, text] : request.texts)
    add_documents(text, name, request.rule, &documents);
  if (!request.generator.empty())
    add_documents(output_of(request.generator), request.generator, request.rule, &documents);
  if (documents.empty()) throw Error("corpus: expected documents, found none");
  return documents;
}

// As asked for, else by what the model predicts.
PieceKind piece_kind(const TrainRequest& request) {
  if (!request.any_kind) return request.pieces.kind;
  const auto kind_for = [](bool next) {
    return next ? PieceKind::kBytePairs : PieceKind::kWordPiece;
  };
  if (request.config.empty()) return kind_for(predicts_next(request.model.architecture));
  const JsonDocument json = JsonDocument::parse(
      with_vocabulary(read_text_file(request.config, 1 << 20), request.config, request.pieces.size),
      request.config);
  return kind_for(read_model_spec(json.root()).causal);
}

std::string tokenizer_text(const TrainRequest& request, const std::vector<std::string>& documents,
                           const CancelToken* cancel) {
  if (!request.tokenizer.empty()) {
    const fs::path path(request.tokenizer);
    return read_text_file((fs::is_directory(path) ? path / "tokenizer.json" : path).string(),
                          kLargestJson);
  }
  // A run that is continued has its tokenizer already.
  const fs::path kept = fs::path(request.run.folder) / "tokenizer.json";
  if (request.resume && fs::exists(kept)) return read_text_file(kept.string(), kLargestJson);
  PieceOptions pieces = request.pieces;
  pieces.kind = piece_kind(request);
  const std::string text = train_tokenizer(documents, pieces, cancel);
  const std::int64_t size = Tokenizer::from_json(text, "tokenizer").vocabulary_size();
  if (size < request.pieces.size)
    throw Error(
        fmt::format("vocabulary: expected at most {} pieces, all that the corpus has, found {}",
                    size, request.pieces.size));
  return text;
}

std::int64_t id_or_none(const Tokenizer& tokenizer, std::string_view piece) {
  return tokenizer.id(piece).value_or(-1);
}

std::string config_text(const TrainRequest& request, const Tokenizer& tokenizer) {
  const std::int64_t vocabulary = tokenizer.vocabulary_size();
  if (!request.config.empty())
    return with_vocabulary(read_text_file(request.config, 1 << 20), request.config, vocabulary);
  return new_config(request.model, vocabulary, id_or_none(tokenizer, "[PAD]"),
                    id_or_none(tokenizer, "<|endoftext|>"));
}

bool is_causal(const TrainRequest& request, const ModelSpec& spec) {
  if (request.objective.empty()) return spec.causal;
  const bool causal = request.objective == "causal";
  if (causal != spec.causal)
    throw Error(
        fmt::format("objective: expected {}, as {} attends, found {}",
                    spec.causal ? "causal" : "masked", spec.architecture, request.objective),
        Error::Kind::kUsage);
  return causal;
}

// curves.svg of the metrics so far.
void draw_curves(const std::string& folder) {
  Curve2d training{"training", {0x4c, 0x78, 0xa8}, {}},
      held_out{"held out", {0xd0, 0x4a, 0x02}, {}}, rate{"", {0x55, 0x55, 0x55}, {}};
  for (const StepMetrics& m : read_metrics(folder)) {
    const auto step = static_cast<double>(m.step);
    training.points.emplace_back(step, m.loss);
    rate.points.emplace_back(step, m.rate);
    if (m.held_out) held_out.points.emplace_back(step, *m.held_out);
  }
  OutputFile file((fs::path(folder) / "curves.svg").string());
  file.write(curves_svg(folder, {{"loss (mean cross-entropy, nats)", {training, held_out}},
                                 {"learning rate", {rate}}}));
  file.commit();
}

}  // namespace

void train(const TrainRequest& request, const std::function<void(const TrainPlan&)>& begin,
           const std::function<void(const StepReport&)>& report, const CancelToken* cancel) {
  const std::vector<std::string> documents = documents_of(request);
  const std::string text = tokenizer_text(request, documents, cancel);
  const Tokenizer tokenizer = Tokenizer::from_json(text, "tokenizer.json");
  const std::string config = config_text(request, tokenizer);
  Random random(request.run.seed);
  Trainable model = Trainable::create(config, request.start, &random);
  const ModelSpec& spec = model.model().spec();

  TrainPlan plan;
  RunOptions run = request.run;
  if (!is_causal(request, spec)) {
    if (request.corruption.empty()) {
      run.corruption = plain_corruption(tokenizer, request.choose);
    } else {
      const JsonDocument json =
          JsonDocument::parse(read_text_file(request.corruption, kLargestJson), request.corruption);
      run.corruption = read_corruption(json.root(), tokenizer);
      if (run.corruption->unknown_words > 0)
        plan.notes.push_back(fmt::format("{}: {} words are no single token and have no class",
                                         request.corruption, run.corruption->unknown_words));
    }
  }
  const std::int64_t most = spec.max_positions > 0 ? spec.max_positions : spec.trained_positions;
  std::int64_t longest = request.longest;
  if (longest == 0) longest = most > 0 ? most : 512;
  if (spec.max_positions > 0 && longest > spec.max_positions) {
    plan.notes.push_back(
        fmt::format("length: the model has {} positions, so not {}", spec.max_positions, longest));
    longest = spec.max_positions;
  }
  CutOff cut_off;
  Corpus corpus = encode(tokenizer, documents, longest, &cut_off);
  if (cut_off.documents > 0)
    plan.notes.push_back(fmt::format(
        "{} of {} documents are longer than {} tokens: {:.1f} % of all tokens are left out",
        cut_off.documents, corpus.size(), longest,
        100.0 * static_cast<double>(cut_off.tokens) /
            static_cast<double>(cut_off.tokens + std::ssize(corpus.ids))));
  Corpus held_out = split_held_out(&corpus, request.held_out);
  if (request.held_out > 0 && held_out.size() == 0)
    plan.notes.push_back(fmt::format("of {} documents, a share of {} is none: nothing is held out",
                                     corpus.size(), request.held_out));
  for (const Parameter& parameter : model.parameters())
    plan.parameters += element_count(parameter.shape);
  plan.vocabulary = tokenizer.vocabulary_size();
  plan.documents = corpus.size();
  plan.held_out = held_out.size();
  plan.tokens = std::ssize(corpus.ids);
  plan.steps = run.schedule.steps;
  run.also = {{"start", fmt::format("{} {} {}", request.start.embedding, request.start.weight,
                                    request.start.residual)},
              {"corruption", request.corruption.empty()
                                 ? fmt::format("{}", request.choose)
                                 : sha256_of(read_text_file(request.corruption, kLargestJson))}};
  if (request.tokenizer.empty()) {
    const PieceOptions& p = request.pieces;
    run.also["pieces"] = fmt::format(
        "{} of {}{}{}", p.size, piece_kind(request) == PieceKind::kWordPiece ? "wordpiece" : "bpe",
        p.lower_case ? "" : ", case kept", p.wrap ? ", wrapped" : "");
  }
  TrainingRun training(std::move(model), std::move(corpus), std::move(held_out), text, run,
                       request.resume);
  plan.steps_done = training.step();
  if (begin) begin(plan);
  // The curves are drawn when the run ends, however it does, and now and then before.
  using Clock = std::chrono::steady_clock;
  Clock::time_point drawn = Clock::now();
  try {
    training.train(
        [&](const StepReport& step) {
          if (!step.saved.empty() && Clock::now() - drawn > std::chrono::seconds(5)) {
            draw_curves(run.folder);
            drawn = Clock::now();
          }
          if (report) report(step);
        },
        cancel);
  } catch (...) {
    try {
      draw_curves(run.folder);
    } catch (const Error&) {
      // A full disk, say: what ended the run is what counts.
    }
    throw;
  }
  draw_curves(run.folder);
}

}  // namespace regard
