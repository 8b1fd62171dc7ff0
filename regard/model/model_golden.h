// SPDX-License-Identifier: Apache-2.0
// For tests: a model of any architecture against its expected.safetensors
// (tools/make_model_golden.py).
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "regard/model/golden.h"

namespace regard {

// An attention of a model, and what its expected values are called.
struct GoldenKind {
  AttentionKind kind;
  std::string prefix, hidden;
};

inline std::vector<GoldenKind> golden_kinds(const ModelSpec& spec) {
  if (!spec.decoder) return {{AttentionKind::kEncoder, "", "hidden"}};
  return {{AttentionKind::kEncoder, "encoder_", "encoder_hidden"},
          {AttentionKind::kCross, "cross_", ""},
          {AttentionKind::kDecoder, "decoder_", "decoder_hidden"}};
}

inline ModelInput golden_input(const SafetensorsFile& expected) {
  ModelInput input;
  input.ids = integers(expected, "ids");
  if (expected.find("types")) input.types = integers(expected, "types");
  if (expected.find("mask"))
    for (const std::int64_t valid : integers(expected, "mask"))
      input.key_valid.push_back(valid != 0);
  if (expected.find("target")) input.target = integers(expected, "target");
  return input;
}

// The last `rows` rows of every head, [layer, head, row, key].
inline std::vector<float> last_rows(const Trace& trace, std::int64_t rows) {
  std::vector<float> out;
  for (const HeadId id : trace.heads()) {
    const AttentionMap map = trace.map(id);
    for (std::int64_t q = map.rows() - rows; q < map.rows(); ++q)
      for (std::int64_t k = 0; k < map.columns(); ++k) out.push_back(map.cell(q, k));
  }
  return out;
}

// Expects every attention, every hidden state, and the logits where the model has a head, within
// the tolerances of the file. Returns the largest difference of a cell.
inline double expect_golden(const Model& model, const SafetensorsFile& expected) {
  ModelInput input = golden_input(expected);
  const auto n = std::ssize(input.target.empty() ? input.ids : input.target);
  const ModelSpec& spec = model.spec();
  Tensor last;
  double worst = 0;
  for (const GoldenKind& kind : golden_kinds(spec)) {
    SCOPED_TRACE(kind.prefix);
    input.kind = kind.kind;
    Trace trace;
    if (kind.kind != AttentionKind::kDecoder) trace.key_valid = input.key_valid;
    Watcher watcher(&trace);
    last = model.forward(input, &watcher);
    const std::string attention = kind.prefix + "attention";
    const double difference = distance(cells(trace), floats(expected, attention, {-1, -1, -1, -1}));
    EXPECT_LE(difference, number(expected, "tolerance." + attention));
    worst = std::max(worst, difference);
    if (kind.hidden.empty() || !expected.find(kind.hidden)) continue;
    const StackSpec& stack =
        spec.decoder && kind.kind != AttentionKind::kEncoder ? *spec.decoder : spec;
    const std::vector<float> hidden =
        floats(expected, kind.hidden, {stack.layers + 1, -1, spec.width});
    EXPECT_EQ(watcher.hidden.size(), hidden.size());
    if (watcher.hidden.size() != hidden.size()) continue;
    // The last hidden state is after the final norm.
    const bool all = !spec.decoder || kind.kind != AttentionKind::kEncoder;
    if (all) std::copy(last.span().begin(), last.span().end(), watcher.hidden.end() - last.size());
    const std::size_t layers = static_cast<std::size_t>(stack.layers);
    const std::size_t rows = all ? hidden.size() : hidden.size() / (layers + 1) * layers;
    EXPECT_LE(distance(std::span(watcher.hidden).first(rows), std::span(hidden).first(rows)),
              number(expected, "tolerance." + kind.hidden));
  }
  // A base model whose decoder is tied gives logits too.
  if (!expected.find("logits") || !model.has_language_head()) return worst;
  const Tensor logits = model.language_logits(last.data(), n);
  EXPECT_LE(distance(logits.span(), floats(expected, "logits", {n, spec.vocabulary})),
            number(expected, "tolerance.logits"));
  return worst;
}

}  // namespace regard
