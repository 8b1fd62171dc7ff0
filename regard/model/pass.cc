// SPDX-License-Identifier: Apache-2.0
// A layer: norms, attention, MLP and residual sums. What an architecture does not have is an absent
// norm or weight, or a number that changes nothing.
#include "regard/model/pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// Numbers that a task adds.
constexpr std::int64_t kBlock = 16384;

// NaN and infinity both make x * 0 differ from 0, so sums tell.
bool all_finite(const Tensor& x) {
  constexpr std::int64_t kSums = 16;  // independent, so that the compiler makes vectors of them
  const float* values = x.data();
  float probe[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= x.size(); i += kSums)
    for (std::int64_t j = 0; j < kSums; ++j) probe[j] += values[i + j] * 0.0f;
  for (; i < x.size(); ++i) probe[0] += values[i] * 0.0f;
  return std::all_of(probe, probe + kSums, [](float sum) { return sum == 0.0f; });
}

}  // namespace

void sum(const float* x, const float* y, std::int64_t count, float* out) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t task) {
    const std::int64_t end = std::min(count, (task + 1) * kBlock);
    for (std::int64_t i = task * kBlock; i < end; ++i) out[i] = x[i] + y[i];
  });
}

void add(const float* x, std::int64_t count, float scale, float* into) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t task) {
    const std::int64_t end = std::min(count, (task + 1) * kBlock);
    if (scale == 1.0f)
      for (std::int64_t i = task * kBlock; i < end; ++i) into[i] += x[i];
    else
      for (std::int64_t i = task * kBlock; i < end; ++i) into[i] += scale * x[i];
  });
}

std::vector<TextRange> texts_of(std::span<const std::int64_t> starts, std::int64_t tokens) {
  if (starts.empty()) return {{0, tokens}};
  std::vector<TextRange> texts;
  for (std::size_t i = 0; i < starts.size(); ++i)
    texts.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : tokens});
  return texts;
}

bool present(const kernels::Weight& weight) { return weight.data.data != nullptr; }

void product(const float* x, std::int64_t rows, const kernels::Weight& weight, float* y) {
  kernels::matmul(x, rows, weight.in(), weight, y, weight.out());
}

void normalise(NormKind kind, const float* x, std::int64_t rows, std::int64_t width,
               const Norm& norm, float epsilon, float* y) {
  if (kind == NormKind::kRms)
    kernels::rms_norm(x, rows, width, norm.gain, epsilon, y);
  else
    kernels::layer_norm(x, rows, width, norm.gain, norm.bias, epsilon, y);
}

void apply_norm(const StackSpec& stack, const Norm& norm, std::int64_t width, Tensor* x) {
  if (norm.gain == nullptr) return;
  normalise(stack.norm, x->data(), x->size() / width, width, norm, stack.norm_epsilon, x->data());
}

void run_layers(const Pass& pass, Tensor* hidden) {
  const StackSpec& stack = pass.stack;
  const std::int64_t n = hidden->shape()[0], width = hidden->shape()[1];
  PassRoom room{
      Tensor({n, width}), Tensor({n, stack.heads * stack.head_dim}), Tensor({n, width}), {}, {}};
  if (pass.cache != nullptr && pass.cache->key.empty())
    for (auto* part :
         {&pass.cache->key, &pass.cache->value, &pass.cache->cross_key, &pass.cache->cross_value})
      part->resize(static_cast<std::size_t>(stack.layers));
  // x through a norm that stands before a block, or as it is.
  const auto before = [&](const Norm& norm) -> const Tensor& {
    if (norm.gain == nullptr) return *hidden;
    normalise(stack.norm, hidden->data(), n, width, norm, stack.norm_epsilon, room.normed.data());
    return room.normed;
  };
  const auto show = [&](Point point, int l, Tensor* x) {
    if (pass.observer != nullptr) pass.observer->at(point, l, {x->data(), x->shape()});
  };
  Tensor beside;
  if (stack.parallel) beside = Tensor({n, width});
  for (int l = 0; l < stack.layers; ++l) {
    if (pass.cancel != nullptr) pass.cancel->check();
    const LayerSpec& layer = stack.layer[static_cast<std::size_t>(l)];
    const LayerWeights& w = pass.weights.layers[static_cast<std::size_t>(layer.tensors)];

    const Tensor& x = before(w.attention_norm);
    self_attention(pass, l, w.self, x, &room);
    if (stack.parallel)  // the MLP reads what attention read, unless it has a norm of its own
      feed_forward(pass, l, w, w.mlp_norm.gain == nullptr ? x : before(w.mlp_norm), &beside);
    apply_norm(stack, w.attention_out_norm, width, &room.out);
    show(Point::kAttentionOut, l, &room.out);
    add(room.out.data(), n * width, stack.residual_scale, hidden->data());
    apply_norm(stack, w.attention_after_norm, width, hidden);

    if (stack.cross) {
      cross_attention(pass, l, w.cross, before(w.cross_norm), &room);
      add(room.out.data(), n * width, stack.residual_scale, hidden->data());
      apply_norm(stack, w.cross_after_norm, width, hidden);
    }

    Tensor* out = stack.parallel ? &beside : &room.out;
    if (!stack.parallel) feed_forward(pass, l, w, before(w.mlp_norm), out);
    apply_norm(stack, w.mlp_out_norm, width, out);
    show(Point::kMlpOut, l, out);
    add(out->data(), n * width, stack.residual_scale, hidden->data());
    apply_norm(stack, w.mlp_after_norm, width, hidden);
    if (!all_finite(*hidden))
      throw Error(fmt::format(
          "{}: layer {}: expected finite hidden states, found a NaN or infinity", pass.file, l));
    show(Point::kHidden, l, hidden);
    if (pass.progress)
      pass.progress(static_cast<double>(l + 1) / static_cast<double>(stack.layers));
  }
  if (pass.cache != nullptr) pass.cache->length += n;
}

}  // namespace regard
