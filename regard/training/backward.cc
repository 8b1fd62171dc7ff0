// SPDX-License-Identifier: Apache-2.0
// Back along a tape: head, layers from the last to the first, embeddings.
#include "regard/training/backward.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/attention/backward.h"
#include "regard/kernels/activation.h"
#include "regard/kernels/matmul_backward.h"
#include "regard/kernels/normalize.h"
#include "regard/kernels/rotary.h"
#include "regard/kernels/softmax.h"
#include "regard/model/pass.h"
#include "regard/model/weights.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

using kernels::Weight;

// Rows whose logits are there at a time.
constexpr std::int64_t kHeadRows = 1024;

// Room for `size` floats.
float* room(Tensor* tensor, std::int64_t size) {
  if (tensor->size() < size) *tensor = Tensor({size});
  return tensor->data();
}

const float* address(const Weight& weight) {
  return reinterpret_cast<const float*>(weight.data.data);
}

// Heads [head, token, dim] to columns [first, first + heads * dim) of rows `stride` wide.
void put_heads(const Tensor& heads, std::int64_t stride, std::int64_t first, float* out) {
  const std::int64_t count = heads.shape()[0], n = heads.shape()[1], dim = heads.shape()[2];
  parallel_for(count, [&](std::int64_t head) {
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(heads.data() + (head * n + i) * dim, dim, out + i * stride + first + head * dim);
  });
}

double checked(double loss) {
  if (!std::isfinite(loss))
    throw Error("the language head: expected a finite loss, found a NaN or infinity");
  return loss;
}

// Calls body(rows [count, width], count, target) for the rows of `last` that predict, some at a
// time.
template <typename Body>
void for_predictions(const Batch& batch, const Tensor& last, const Body& body) {
  const std::int64_t width = last.shape()[1];
  Tensor rows({std::min<std::int64_t>(kHeadRows, std::ssize(batch.position)), width});
  for (std::int64_t first = 0; first < std::ssize(batch.position); first += kHeadRows) {
    const std::int64_t count = std::min(kHeadRows, std::ssize(batch.position) - first);
    const std::int64_t* position = batch.position.data() + first;
    for (std::int64_t r = 0; r < count; ++r)
      std::copy_n(last.data() + position[r] * width, width, rows.data() + r * width);
    body(rows.data(), count, position, batch.target.data() + first);
  }
}

void norm_backward(const ModelSpec& spec, Trainable* model, const Norm& norm, NormKind kind,
                   const float* x, std::int64_t rows, const float* dy, bool add_to, float* dx) {
  float* const gain = model->gradient_of(norm.gain);
  if (kind == NormKind::kRms)
    kernels::rms_norm_backward(x, rows, spec.width, norm.gain, spec.norm_epsilon, dy, add_to, dx,
                               gain);
  else
    kernels::layer_norm_backward(x, rows, spec.width, norm.gain, spec.norm_epsilon, dy, add_to, dx,
                                 gain, model->gradient_of(norm.bias));
}

}  // namespace

Gradients::Gradients(Trainable* model)
    : model_(*model),
      spec_(model->model().spec()),
      tape_(spec_.layers, !spec_.names.mlp_after_norm.empty()) {}

void Gradients::product(const float* x, const float* dy, std::int64_t rows, const Weight& weight,
                        float* dx) {
  kernels::matmul_backward_weight(x, dy, rows, weight, model_.gradient_of(address(weight)),
                                  model_.gradient_of(weight.bias));
  if (dx != nullptr) kernels::matmul_backward_input(dy, rows, weight, dx);
}

double Gradients::add(const Batch& batch, float weight) {
  tape_.clear();
  tokens_ = std::ssize(batch.input.ids);
  const Tensor last = model_.model().forward(batch.input, &tape_);
  const std::int64_t size = tokens_ * spec_.width;
  std::fill_n(room(&gradient_, size), size, 0.0f);
  const double loss = checked(head(batch, last, weight));
  const StackWeights& stack = model_.model().weights().stack;
  if (stack.final_norm.gain != nullptr)
    norm_backward(spec_, &model_, stack.final_norm, spec_.norm,
                  tape_.input_of(static_cast<std::size_t>(spec_.layers)), tokens_, gradient_.data(),
                  false, gradient_.data());
  for (auto l = static_cast<std::size_t>(spec_.layers); l-- > 0;) layer(l, batch.input);
  embeddings(batch.input);
  return loss;
}

double Gradients::head(const Batch& batch, const Tensor& last, float weight) {
  double loss = 0;
  const std::int64_t width = spec_.width;
  Tensor gradient({std::min<std::int64_t>(kHeadRows, std::ssize(batch.position)), width});
  for_predictions(batch, last,
                  [&](const float* rows, std::int64_t count, const std::int64_t* position,
                      const std::int64_t* target) {
                    loss += head_rows(rows, count, target, weight, gradient.data());
                    for (std::int64_t r = 0; r < count; ++r)
                      std::copy_n(gradient.data() + r * width, width,
                                  gradient_.data() + position[r] * width);
                  });
  return loss;
}

double Gradients::head_rows(const float* rows, std::int64_t count, const std::int64_t* target,
                            float weight, float* gradient) {
  const HeadWeights& w = model_.model().weights().head;
  tape_.head_dense.clear();
  Tensor logits = model_.model().language_logits(rows, count, &tape_);
  const double loss =
      kernels::cross_entropy(logits.data(), count, spec_.vocabulary, target, weight);
  if (!present(w.dense)) {
    product(rows, logits.data(), count, w.decoder, gradient);
    return loss;
  }
  const std::int64_t size = count * spec_.width;
  float* const active = room(&normed_, size);
  float* const normed = room(&middle_, size);
  float* const dense = tape_.head_dense.data();
  std::copy_n(dense, size, active);
  kernels::activate(spec_.head.activation, active, size);
  kernels::layer_norm(active, count, spec_.width, w.norm.gain, w.norm.bias, spec_.norm_epsilon,
                      normed);
  float* const before = room(&in_gradient_, size);
  product(normed, logits.data(), count, w.decoder, before);
  norm_backward(spec_, &model_, w.norm, NormKind::kLayerNorm, active, count, before, false, before);
  kernels::activate_backward(spec_.head.activation, dense, before, size);
  product(rows, before, count, w.dense, gradient);
  return loss;
}

void Gradients::layer(std::size_t l, const ModelInput& texts) {
  const LayerWeights& w = model_.model().weights().stack.layers[l];
  const std::int64_t width = spec_.width, size = tokens_ * width;
  float* const gradient = gradient_.data();
  float* const in_gradient = room(&in_gradient_, size);
  const float* const input = tape_.input_of(l);
  // What the MLP read: the sum after attention, and that sum through a norm after it.
  float* const sum = room(&sum_, size);
  regard::sum(input, tape_.layer(l).attention_out.data(), size, sum);
  const float* middle = sum;
  const auto through = [&](const Norm& norm, const float* x, Tensor* out) -> const float* {
    if (norm.gain == nullptr) return x;
    normalise(spec_.norm, x, tokens_, width, norm, spec_.norm_epsilon, room(out, size));
    return out->data();
  };
  // The gradient by what stands before a norm, and before the block that the norm feeds.
  const auto after = [&](const Norm& norm, const float* x) {
    if (norm.gain != nullptr)
      norm_backward(spec_, &model_, norm, spec_.norm, x, tokens_, gradient, false, gradient);
  };
  const auto before = [&](const Norm& norm, const float* x) {
    if (norm.gain != nullptr)
      norm_backward(spec_, &model_, norm, spec_.norm, x, tokens_, in_gradient, true, gradient);
    else
      regard::add(in_gradient, size, 1.0f, gradient);
  };
  middle = through(w.attention_after_norm, sum, &middle_);
  if (w.mlp_after_norm.gain != nullptr) {
    float* const whole = room(&part_, size);
    regard::sum(middle, tape_.layer(l).mlp_out.data(), size, whole);
    after(w.mlp_after_norm, whole);
  }
  mlp(l, through(w.mlp_norm, middle, &normed_), in_gradient);
  before(w.mlp_norm, middle);
  after(w.attention_after_norm, sum);
  attention(l, texts, through(w.attention_norm, input, &normed_), in_gradient);
  before(w.attention_norm, input);
}

void Gradients::mlp(std::size_t l, const float* in, float* in_gradient) {
  const MlpWeights& w = model_.model().weights().stack.layers[l].mlp;
  Tape::Layer& kept = tape_.layer(l);
  const std::int64_t size = tokens_ * spec_.mlp_width;
  float* const inner = room(&inner_, size);
  kernels::matmul_backward_input(gradient_.data(), tokens_, w.down, inner);
  if (!present(w.gate)) {
    kernels::activate_backward(spec_.activation, kept.up.data(), inner, size);
    product(kept.up.data(), gradient_.data(), tokens_, w.down, nullptr);
    return product(in, inner, tokens_, w.up, in_gradient);
  }
  kernels::activate_gated_backward(spec_.activation, kept.gate.data(), kept.up.data(), inner, size);
  product(inner, gradient_.data(), tokens_, w.down, nullptr);
  product(in, kept.gate.data(), tokens_, w.gate, in_gradient);
  float* const part = room(&part_, tokens_ * spec_.width);
  product(in, kept.up.data(), tokens_, w.up, part);
  regard::add(part, tokens_ * spec_.width, 1.0f, in_gradient);
}

void Gradients::attention(std::size_t l, const ModelInput& input, const float* in,
                          float* in_gradient) {
  const AttentionWeights& w = model_.model().weights().stack.layers[l].self;
  const Tape::Layer& kept = tape_.layer(l);
  const AttentionRecord& record = *kept.attention;
  const std::int64_t dim = spec_.head_dim, heads = spec_.heads, kv_heads = spec_.kv_heads;
  float* const mixed = room(&mixed_gradient_, tokens_ * heads * dim);
  product(kept.mixed.data(), gradient_.data(), tokens_, w.out, mixed);

  Tensor query(record.query.shape()), key(record.key.shape()), value(record.value.shape());
  const AttentionInput all = attention_input(record, nullptr);
  const std::vector<TextRange> texts = texts_of(input.starts, tokens_);
  for_each_text(texts, [&](const TextRange& text) {
    const std::int64_t row = text.begin * heads;
    attention_backward(texts.size() == 1 ? all : part_of(all, text.begin, text.end),
                       {kept.mixed.data() + row * dim, record.lse.data() + row, mixed + row * dim},
                       {query.data() + text.begin * dim, key.data() + text.begin * dim,
                        value.data() + text.begin * dim});
  });
  if (const int rotary = spec_.layer[l].rotary; rotary >= 0) {
    const RotarySpec& spec = spec_.rotaries[static_cast<std::size_t>(rotary)];
    const RotaryTable table = rotary_table(spec, texts, 0, input.positions);
    for (Tensor* x : {&query, &key})
      for (std::int64_t head = 0; head < x->shape()[0]; ++head)
        kernels::rotate_backward(x->data() + head * tokens_ * dim, tokens_, dim,
                                 table.cosine.shape()[1], spec.neighbours, table.cosine.data(),
                                 table.sine.data());
  }

  const std::int64_t inner = heads * dim, kv = kv_heads * dim;
  float* const flat = room(&flat_gradient_, tokens_ * (inner + 2 * kv));
  if (present(w.qkv)) {
    put_heads(query, inner + 2 * kv, 0, flat);
    put_heads(key, inner + 2 * kv, inner, flat);
    put_heads(value, inner + 2 * kv, inner + kv, flat);
    return product(in, flat, tokens_, w.qkv, in_gradient);
  }
  float* const part = room(&part_, tokens_ * spec_.width);
  const auto one = [&](const Tensor& gradient, const Weight& weight, float* to) {
    put_heads(gradient, weight.out(), 0, flat);
    product(in, flat, tokens_, weight, to);
  };
  one(query, w.query, in_gradient);
  for (const auto& [gradient, weight] : {std::pair{&key, &w.key}, {&value, &w.value}}) {
    one(*gradient, *weight, part);
    regard::add(part, tokens_ * spec_.width, 1.0f, in_gradient);
  }
}

void Gradients::embeddings(const ModelInput& input) {
  const StackWeights& stack = model_.model().weights().stack;
  const std::int64_t width = spec_.width;
  if (stack.embedding_norm.gain != nullptr)
    norm_backward(spec_, &model_, stack.embedding_norm, spec_.norm, tape_.embedding_sum.data(),
                  tokens_, gradient_.data(), false, gradient_.data());
  const auto rows = [&](const TensorView& table, const std::vector<std::int64_t>& index) {
    if (table.data == nullptr) return;
    kernels::embedding_backward(index.data(), tokens_, width, gradient_.data(),
                                model_.gradient_of(reinterpret_cast<const float*>(table.data)));
  };
  rows(stack.words, input.ids);
  std::vector<std::int64_t> index = input.types;
  index.resize(input.ids.size(), 0);
  rows(stack.types, index);
  for (const TextRange& text : texts_of(input.starts, tokens_))
    for (std::int64_t i = text.begin; i < text.end; ++i)
      index[static_cast<std::size_t>(i)] = i - text.begin + spec_.position_offset;
  rows(stack.positions, index);
}

double loss_of(const Model& model, const Batch& batch) {
  const Tensor last = model.forward(batch.input);
  double loss = 0;
  for_predictions(
      batch, last,
      [&](const float* rows, std::int64_t count, const std::int64_t*, const std::int64_t* target) {
        Tensor logits = model.language_logits(rows, count);
        loss += kernels::cross_entropy(logits.data(), count, model.spec().vocabulary, target, 1.0f);
      });
  return checked(loss);
}

}  // namespace regard
