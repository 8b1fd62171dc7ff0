// SPDX-License-Identifier: Apache-2.0
// Greedy, sampled and beam-searched continuation over one forward pass.
#include "regard/model/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "regard/platform/error.h"

namespace regard {
namespace {

Tensor copy_of(const Tensor& from) {
  if (from.empty()) return {};
  Tensor copy(from.shape());
  std::copy_n(from.data(), from.size(), copy.data());
  return copy;
}

KvCache copy_of(const KvCache& from) {
  KvCache copy;
  copy.length = from.length;
  for (const auto& [to, part] : {std::pair{&copy.key, &from.key},
                                 {&copy.value, &from.value},
                                 {&copy.cross_key, &from.cross_key},
                                 {&copy.cross_value, &from.cross_value}})
    for (const Tensor& tensor : *part) to->push_back(copy_of(tensor));
  return copy;
}

// A text that grows, with what the model keeps of it.
class Writer {
 public:
  Writer(const Model& model, const ModelInput& input, const CancelToken* cancel)
      : model_(model), input_(input), cancel_(cancel) {
    const ModelSpec& spec = model.spec();
    input_.cache = nullptr;
    if (!model.has_language_head())
      throw Error(model.checkpoint().path() + ": this checkpoint has no language-model head");
    if (spec.decoder) {
      if (input_.target.empty()) {
        if (spec.decoder_start < 0)
          throw Error(model.checkpoint().path() +
                      ": expected decoder_start_token_id or a beginning of the target, found "
                      "neither");
        input_.target = {spec.decoder_start};
      }
      ModelInput source = input_;
      source.target.clear();
      memory_ = std::make_shared<const Tensor>(model.forward(source, nullptr, {}, cancel));
      ids_ = input_.target;
    } else {
      if (!spec.causal)
        throw Error(model.checkpoint().path() + ": expected a decoder, found an encoder (" +
                    spec.architecture + ")");
      ids_ = input_.ids;
    }
  }
  Writer(const Writer& other)
      : model_(other.model_),
        input_(other.input_),
        memory_(other.memory_),
        ids_(other.ids_),
        cache_(copy_of(other.cache_)),
        cancel_(other.cancel_) {}

  void add(std::int64_t id) { ids_.push_back(id); }
  const std::vector<std::int64_t>& ids() const { return ids_; }
  // False when learned positions end here.
  bool has_room() const {
    const StackSpec& stack = stack_of();
    return stack.max_positions == 0 || std::ssize(ids_) < stack.max_positions;
  }

  // Logits [1, vocabulary] of the token after the text.
  Tensor next() {
    if (turns_otherwise()) cache_ = {};
    const auto seen = static_cast<std::size_t>(cache_.length);
    ModelInput input = input_;
    input.cache = &cache_;
    auto& part = memory_ != nullptr ? input.target : input.ids;
    part.assign(ids_.begin() + static_cast<std::ptrdiff_t>(seen), ids_.end());
    const Tensor hidden = memory_ != nullptr ? model_.decode(input, *memory_, nullptr, cancel_)
                                             : model_.forward(input, nullptr, {}, cancel_);
    const std::int64_t width = hidden.shape()[1];
    return model_.language_logits(hidden.data() + (hidden.shape()[0] - 1) * width, 1);
  }

 private:
  const StackSpec& stack_of() const {
    const ModelSpec& spec = model_.spec();
    return spec.decoder ? *spec.decoder : spec;
  }
  // True when earlier keys would turn at other frequencies in the longer text.
  bool turns_otherwise() const {
    if (cache_.length == 0) return false;
    return std::any_of(stack_of().rotaries.begin(), stack_of().rotaries.end(),
                       [&](const RotarySpec& rotary) {
                         return frequencies_for(rotary, cache_.length) !=
                                frequencies_for(rotary, std::ssize(ids_));
                       });
  }

  const Model& model_;
  ModelInput input_;
  std::shared_ptr<const Tensor> memory_;
  std::vector<std::int64_t> ids_;
  KvCache cache_;
  const CancelToken* cancel_;
};

bool is_end(const ModelSpec& spec, std::int64_t id) {
  return std::find(spec.ends.begin(), spec.ends.end(), id) != spec.ends.end();
}

std::vector<double> log_softmax(const Tensor& logits) {
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (float x : logits.span()) top = std::max(top, static_cast<double>(x));
  for (float x : logits.span()) sum += std::exp(static_cast<double>(x) - top);
  std::vector<double> out;
  for (float x : logits.span()) out.push_back(static_cast<double>(x) - top - std::log(sum));
  return out;
}

struct Beam {
  Writer text;
  double score;  // sum of log probabilities
};

struct Candidate {
  double score;
  std::size_t beam;
  std::int64_t id;
};

// The best 2 * beams continuations of all beams, best first.
std::vector<Candidate> extend(std::vector<Beam>* beams, std::int64_t count) {
  std::vector<Candidate> all;
  for (std::size_t b = 0; b < beams->size(); ++b) {
    const std::vector<double> scores = log_softmax((*beams)[b].text.next());
    for (std::size_t id = 0; id < scores.size(); ++id)
      all.push_back({(*beams)[b].score + scores[id], b, static_cast<std::int64_t>(id)});
  }
  const auto keep = std::min<std::size_t>(all.size(), static_cast<std::size_t>(2 * count));
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(keep), all.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.score != b.score ? a.score > b.score
                             : a.beam != b.beam ? a.beam < b.beam
                                                : a.id < b.id;
                    });
  all.resize(keep);
  return all;
}

// Finished texts are ranked by their mean log probability a token.
std::vector<std::int64_t> beam_search(const ModelSpec& spec, Writer first,
                                      const GenerationOptions& options, const Progress& progress) {
  const std::size_t begin = first.ids().size();
  const auto width = static_cast<std::size_t>(options.beams);
  std::vector<Beam> beams;
  beams.push_back({std::move(first), 0});
  struct Finished {
    std::vector<std::int64_t> ids;
    double score;
  };
  std::vector<Finished> finished;
  const auto finish = [&](const std::vector<std::int64_t>& ids, double score) {
    finished.push_back({ids, score / static_cast<double>(ids.size() - begin)});
    std::stable_sort(finished.begin(), finished.end(),
                     [](const Finished& a, const Finished& b) { return a.score > b.score; });
    if (finished.size() > width) finished.resize(width);
  };
  // Of the beams, likeliest first, those among the `width` likeliest candidates: what the end of
  // the room finishes.
  std::size_t likely = 0;
  bool settled = false;
  for (std::int64_t step = 0; step < options.tokens && beams.front().text.has_room(); ++step) {
    std::vector<Beam> next;
    likely = 0;
    const std::vector<Candidate> candidates = extend(&beams, options.beams);
    for (std::size_t rank = 0; rank < candidates.size() && next.size() < width; ++rank) {
      const Candidate& candidate = candidates[rank];
      const Beam& beam = beams[candidate.beam];
      if (options.stop_at_end && is_end(spec, candidate.id)) {
        if (rank >= width) continue;
        std::vector<std::int64_t> ids = beam.text.ids();
        ids.push_back(candidate.id);
        finish(ids, candidate.score);
        continue;
      }
      next.push_back({beam.text, candidate.score});
      next.back().text.add(candidate.id);
      if (rank < width) ++likely;
    }
    if (next.empty()) break;
    beams.clear();
    for (Beam& beam : next) beams.push_back({beam.text, beam.score});
    if (progress) progress(static_cast<double>(step + 1) / static_cast<double>(options.tokens));
    const double length = static_cast<double>(beams.front().text.ids().size() - begin);
    settled = finished.size() == width && finished.back().score >= beams.front().score / length;
    if (settled) break;
  }
  for (std::size_t i = 0; i < likely && !settled; ++i) finish(beams[i].text.ids(), beams[i].score);
  if (finished.empty()) return {};
  const auto& best = finished.front().ids;
  return {best.begin() + static_cast<std::ptrdiff_t>(begin), best.end()};
}

}  // namespace

std::int64_t choose_token(const float* logits, std::int64_t vocabulary, float temperature,
                          float top_p, double uniform) {
  if (temperature == 0.0f) return std::max_element(logits, logits + vocabulary) - logits;
  std::vector<std::int64_t> order(static_cast<std::size_t>(vocabulary));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return logits[a] > logits[b]; });
  const double top = logits[order.front()];
  std::vector<double> weights;
  double sum = 0;
  for (const std::int64_t id : order) {
    weights.push_back(
        std::exp((static_cast<double>(logits[id]) - top) / static_cast<double>(temperature)));
    sum += weights.back();
  }
  double kept = 0;
  std::size_t count = 0;
  while (count < weights.size() && (count == 0 || kept < static_cast<double>(top_p) * sum))
    kept += weights[count++];
  double rest = uniform * kept;
  for (std::size_t i = 0; i < count; ++i) {
    rest -= weights[i];
    if (rest < 0) return order[i];
  }
  return order[count - 1];
}

std::vector<std::int64_t> generate(const Model& model, const ModelInput& input,
                                   const GenerationOptions& options, const Progress& progress,
                                   const CancelToken* cancel) {
  if (options.tokens < 1 || !(options.temperature >= 0) || !std::isfinite(options.temperature) ||
      !(options.top_p > 0 && options.top_p <= 1) || options.beams < 1 || options.beams > 1000)
    throw Error(
        "generation: expected at least one token, a temperature of 0 or more, 0 < top-p <= "
        "1 and 1 to 1000 beams",
        Error::Kind::kUsage);
  if (options.beams > 1 && options.temperature > 0)
    throw Error("generation: beam search does not sample; expected a temperature of 0",
                Error::Kind::kUsage);
  Writer text(model, input, cancel);
  if (!text.has_room())
    throw Error(fmt::format("{}: the text fills all {} positions, nothing can follow",
                            model.checkpoint().path(), text.ids().size()));
  const ModelSpec& spec = model.spec();
  if (options.beams > 1) return beam_search(spec, text, options, progress);

  std::mt19937_64 random(options.seed);
  std::vector<std::int64_t> out;
  while (std::ssize(out) < options.tokens && text.has_room()) {
    const Tensor logits = text.next();
    const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    out.push_back(
        choose_token(logits.data(), logits.size(), options.temperature, options.top_p, uniform));
    text.add(out.back());
    if (progress) progress(static_cast<double>(out.size()) / static_cast<double>(options.tokens));
    if (options.stop_at_end && is_end(spec, out.back())) break;
  }
  return out;
}

}  // namespace regard
