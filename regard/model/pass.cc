// SPDX-License-Identifier: Apache-2.0
// A layer: projections, what changes queries and keys, attention, residual sums, the MLP. What an
// architecture does not have is an absent norm or weight, or a number that changes nothing.
#include "regard/model/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "regard/attention/forward.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/kernels/rotary.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

using kernels::Weight;

bool present(const Weight& weight) { return weight.data.data != nullptr; }

MutableView view_of(Tensor* tensor) { return {tensor->data(), tensor->shape()}; }

struct RotaryTable {
  Tensor cosine, sine;  // [token, pairs]
};

// Working arrays of a pass.
struct Room {
  Tensor normed, mixed, out, flat;
  std::map<int, RotaryTable> rotaries;
};

void normalise(NormKind kind, const float* x, std::int64_t rows, std::int64_t width,
               const Norm& norm, float epsilon, float* y) {
  if (kind == NormKind::kRms)
    kernels::rms_norm(x, rows, width, norm.gain, epsilon, y);
  else
    kernels::layer_norm(x, rows, width, norm.gain, norm.bias, epsilon, y);
}

// y[rows, out] = x[rows, in] W^T + b.
void product(const float* x, std::int64_t rows, const Weight& weight, float* y) {
  kernels::matmul(x, rows, weight.in(), weight, y, weight.out());
}

// into += scale * x.
void add(const Tensor& x, float scale, Tensor* into) {
  constexpr std::int64_t kBlock = 16384;
  const float* from = x.data();
  float* to = into->data();
  parallel_for((x.size() + kBlock - 1) / kBlock, [&](std::int64_t task) {
    const std::int64_t end = std::min(x.size(), (task + 1) * kBlock);
    if (scale == 1.0f)
      for (std::int64_t i = task * kBlock; i < end; ++i) to[i] += from[i];
    else
      for (std::int64_t i = task * kBlock; i < end; ++i) to[i] += scale * from[i];
  });
}

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

// Columns of x [token, stride] that hold the heads, to out [head, token, dim]: head h begins at
// column first + (h / group) * group_stride + (h % group) * dim.
void take_heads(const float* x, std::int64_t stride, std::int64_t first, std::int64_t group,
                std::int64_t group_stride, Tensor* out) {
  const std::int64_t heads = out->shape()[0], n = out->shape()[1], dim = out->shape()[2];
  parallel_for(heads, [&](std::int64_t head) {
    const float* from = x + first + head / group * group_stride + head % group * dim;
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(from + i * stride, dim, out->data() + (head * n + i) * dim);
  });
}

// The norm of queries or keys, already split into heads.
void normalise_heads(const StackSpec& stack, const Norm& norm, Tensor* x) {
  const std::int64_t heads = x->shape()[0], n = x->shape()[1], dim = x->shape()[2];
  const bool shared = stack.qk_norm == QkNorm::kSharedHead;
  for (std::int64_t head = 0; head < (shared ? 1 : heads); ++head) {
    const Norm own{norm.gain + head * dim, norm.bias == nullptr ? nullptr : norm.bias + head * dim};
    float* rows = x->data() + head * n * dim;
    normalise(stack.qk_norm_kind, rows, shared ? heads * n : n, dim, own, stack.norm_epsilon, rows);
  }
}

void turn(const RotarySpec& spec, const RotaryTable& table, Tensor* x) {
  const std::int64_t heads = x->shape()[0], n = x->shape()[1], dim = x->shape()[2];
  for (std::int64_t head = 0; head < heads; ++head)
    kernels::rotate(x->data() + head * n * dim, n, dim, table.cosine.shape()[1], spec.neighbours,
                    table.cosine.data(), table.sine.data());
}

// Queries, keys and values of one layer, before rotation.
void project(const Pass& pass, const AttentionWeights& w, const Tensor& x, Room* room,
             AttentionRecord* record) {
  const StackSpec& stack = pass.stack;
  const std::int64_t n = x.shape()[0], dim = stack.head_dim;
  const std::int64_t heads = stack.heads, kv_heads = stack.kv_heads;
  record->query = Tensor({heads, n, dim});
  record->key = Tensor({kv_heads, n, dim});
  record->value = Tensor({kv_heads, n, dim});
  const std::int64_t inner = heads * dim, kv = kv_heads * dim;
  if (present(w.qkv)) {
    const std::int64_t stride = inner + 2 * kv;
    if (room->flat.size() < n * stride) room->flat = Tensor({n, stride});
    product(x.data(), n, w.qkv, room->flat.data());
    const float* flat = room->flat.data();
    if (stack.fused == FusedLayout::kThirds) {
      take_heads(flat, stride, 0, heads, 0, &record->query);
      take_heads(flat, stride, inner, kv_heads, 0, &record->key);
      take_heads(flat, stride, inner + kv, kv_heads, 0, &record->value);
    } else {
      const std::int64_t group = heads / kv_heads, step = (group + 2) * dim;
      take_heads(flat, stride, 0, group, step, &record->query);
      take_heads(flat, stride, group * dim, 1, step, &record->key);
      take_heads(flat, stride, (group + 1) * dim, 1, step, &record->value);
    }
  } else {
    if (room->flat.size() < n * inner) room->flat = Tensor({n, inner});
    float* flat = room->flat.data();
    const auto one = [&](const Weight& weight, const Norm& norm, Tensor* into) {
      product(x.data(), n, weight, flat);
      const std::int64_t columns = weight.out();
      if (norm.gain != nullptr && stack.qk_norm == QkNorm::kWhole)
        normalise(stack.qk_norm_kind, flat, n, columns, norm, stack.norm_epsilon, flat);
      take_heads(flat, columns, 0, columns / dim, 0, into);
    };
    one(w.query, w.query_norm, &record->query);
    one(w.key, w.key_norm, &record->key);
    one(w.value, {}, &record->value);
  }
  if (stack.qk_norm == QkNorm::kSharedHead || stack.qk_norm == QkNorm::kEachHead) {
    normalise_heads(stack, w.query_norm, &record->query);
    normalise_heads(stack, w.key_norm, &record->key);
  }
}

// Puts the cached rows before the new ones, in the record and in the cache.
void join_cache(Tensor* cached, std::int64_t length, Tensor* now) {
  if (length > 0) {
    const std::int64_t heads = now->shape()[0], n = now->shape()[1], dim = now->shape()[2];
    Tensor both({heads, length + n, dim});
    for (std::int64_t head = 0; head < heads; ++head) {
      float* to = both.data() + head * (length + n) * dim;
      std::copy_n(cached->data() + head * length * dim, length * dim, to);
      std::copy_n(now->data() + head * n * dim, n * dim, to + length * dim);
    }
    *now = std::move(both);
  }
  *cached = Tensor(now->shape());
  std::copy_n(now->data(), now->size(), cached->data());
}

// Attention of a record whose queries, keys and values are complete; mixed: [token, heads * dim].
void attend(const Pass& pass, AttentionRecord* record, Tensor* mixed) {
  const std::int64_t heads = record->query.shape()[0], n = record->query.shape()[1];
  const std::int64_t keys = record->key.shape()[1];
  record->lse = Buffer<double>({heads, n});
  const bool wanted = pass.observer != nullptr && pass.observer->wants_record(record->layer);
  if (wanted) {
    record->block_edge = overview_edge(std::max(n, keys));
    const std::int64_t edge = record->block_edge;
    const Shape blocks{heads, (n + edge - 1) / edge, (keys + edge - 1) / edge};
    record->overview_sum = Tensor(blocks);
    record->overview_max = Tensor(blocks);
  }
  AttentionInput in;
  in.query = record->query.data();
  in.key = record->key.data();
  in.value = record->value.data();
  in.key_valid = pass.key_valid;
  in.heads = heads;
  in.kv_heads = record->key.shape()[0];
  in.queries = n;
  in.keys = keys;
  in.dim = record->query.shape()[2];
  in.value_dim = record->value.shape()[2];
  in.score = record->score;
  in.terms = record->terms();
  try {
    attention_forward(
        in,
        {mixed->data(), record->lse.data(), wanted ? record->overview_sum.data() : nullptr,
         wanted ? record->overview_max.data() : nullptr},
        pass.cancel);
  } catch (const Error& error) {
    if (error.kind() != Error::Kind::kFailed) throw;
    throw Error(fmt::format("{}: layer {}: {}", pass.file, record->layer, error.what()));
  }
}

const RotaryTable& rotary_table(const Pass& pass, int which, std::int64_t n, Room* room) {
  const auto found = room->rotaries.find(which);
  if (found != room->rotaries.end()) return found->second;
  const RotarySpec& spec = pass.stack.rotaries[static_cast<std::size_t>(which)];
  const std::vector<float> frequencies = frequencies_for(spec, pass.first + n);
  const auto pairs = static_cast<std::int64_t>(frequencies.size());
  RotaryTable table{Tensor({n, pairs}), Tensor({n, pairs})};
  kernels::rotary_table(frequencies, pass.first, n, spec.magnitude, table.cosine.data(),
                        table.sine.data());
  return room->rotaries.emplace(which, std::move(table)).first->second;
}

void self_attention(const Pass& pass, int l, const LayerWeights& w, const Tensor& x, Room* room) {
  const LayerSpec& layer = pass.stack.layer[static_cast<std::size_t>(l)];
  const auto show = [&](Point point, Tensor* t) {
    if (pass.observer != nullptr) pass.observer->at(point, l, view_of(t));
  };
  auto record = std::make_shared<AttentionRecord>();
  record->layer = l;
  record->score.scale = layer.scale;
  record->score.cap = pass.stack.cap;
  record->score.causal = pass.stack.causal;
  record->score.window = layer.window;
  project(pass, w.self, x, room, record.get());
  if (layer.rotary >= 0) {
    const RotaryTable& table = rotary_table(pass, layer.rotary, x.shape()[0], room);
    const RotarySpec& spec = pass.stack.rotaries[static_cast<std::size_t>(layer.rotary)];
    turn(spec, table, &record->query);
    turn(spec, table, &record->key);
  }
  show(Point::kQuery, &record->query);
  show(Point::kKey, &record->key);
  show(Point::kValue, &record->value);
  if (pass.cache != nullptr) {
    join_cache(&pass.cache->key[static_cast<std::size_t>(l)], pass.cache->length, &record->key);
    join_cache(&pass.cache->value[static_cast<std::size_t>(l)], pass.cache->length, &record->value);
  }
  attend(pass, record.get(), &room->mixed);
  if (pass.observer != nullptr && pass.observer->wants_record(l)) pass.observer->record(record);
  show(Point::kMixed, &room->mixed);
  product(room->mixed.data(), x.shape()[0], w.self.out, room->out.data());
}

// out = MLP(x), some rows at a time, so that its wide middle stays small.
void feed_forward(const StackSpec& stack, const MlpWeights& w, const Tensor& x, Tensor* out) {
  constexpr std::int64_t kRows = 2048;
  const std::int64_t n = x.shape()[0], width = x.shape()[1], middle = w.up.out();
  Tensor up({std::min(n, kRows), middle}), gate;
  if (present(w.gate)) gate = Tensor({std::min(n, kRows), middle});
  for (std::int64_t first = 0; first < n; first += kRows) {
    const std::int64_t rows = std::min(kRows, n - first);
    const float* in = x.data() + first * width;
    product(in, rows, w.up, up.data());
    float* inner = up.data();
    if (present(w.gate)) {
      product(in, rows, w.gate, gate.data());
      kernels::activate_gated(stack.activation, gate.data(), up.data(), rows * middle);
      inner = gate.data();
    } else {
      kernels::activate(stack.activation, inner, rows * middle);
    }
    product(inner, rows, w.down, out->data() + first * width);
  }
}

}  // namespace

void apply_norm(const StackSpec& stack, const Norm& norm, std::int64_t width, Tensor* x) {
  if (norm.gain == nullptr) return;
  normalise(stack.norm, x->data(), x->size() / width, width, norm, stack.norm_epsilon, x->data());
}

void run_layers(const Pass& pass, Tensor* hidden) {
  const StackSpec& stack = pass.stack;
  const std::int64_t n = hidden->shape()[0], width = hidden->shape()[1];
  Room room{
      Tensor({n, width}), Tensor({n, stack.heads * stack.head_dim}), Tensor({n, width}), {}, {}};
  if (pass.cache != nullptr && pass.cache->key.empty()) {
    pass.cache->key.resize(static_cast<std::size_t>(stack.layers));
    pass.cache->value.resize(static_cast<std::size_t>(stack.layers));
  }
  // x through a norm that stands before a block, or as it is.
  const auto before = [&](const Norm& norm) -> const Tensor& {
    if (norm.gain == nullptr) return *hidden;
    normalise(stack.norm, hidden->data(), n, width, norm, stack.norm_epsilon, room.normed.data());
    return room.normed;
  };
  const auto show = [&](Point point, int l, Tensor* x) {
    if (pass.observer != nullptr) pass.observer->at(point, l, view_of(x));
  };
  Tensor mlp_out;
  if (stack.parallel) mlp_out = Tensor({n, width});
  for (int l = 0; l < stack.layers; ++l) {
    if (pass.cancel != nullptr) pass.cancel->check();
    const auto tensors = static_cast<std::size_t>(stack.layer[static_cast<std::size_t>(l)].tensors);
    const LayerWeights& w = pass.weights.layers[tensors];

    const Tensor& x = before(w.attention_norm);
    self_attention(pass, l, w, x, &room);
    if (stack.parallel) {
      // The MLP reads what attention read, unless it has a norm of its own.
      feed_forward(stack, w.mlp, w.mlp_norm.gain == nullptr ? x : before(w.mlp_norm), &mlp_out);
    }
    apply_norm(stack, w.attention_out_norm, width, &room.out);
    show(Point::kAttentionOut, l, &room.out);
    add(room.out, stack.residual_scale, hidden);
    apply_norm(stack, w.attention_after_norm, width, hidden);

    Tensor* out = stack.parallel ? &mlp_out : &room.out;
    if (!stack.parallel) feed_forward(stack, w.mlp, before(w.mlp_norm), out);
    apply_norm(stack, w.mlp_out_norm, width, out);
    show(Point::kMlpOut, l, out);
    add(*out, stack.residual_scale, hidden);
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
