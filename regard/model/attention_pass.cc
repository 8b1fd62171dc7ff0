// SPDX-License-Identifier: Apache-2.0
// Attention of a layer: projections, what changes queries and keys, what else a score takes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/attention/forward.h"
#include "regard/attention/relative.h"
#include "regard/kernels/rotary.h"
#include "regard/model/pass.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

using kernels::Weight;

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

// Room for n rows of `columns` floats.
float* flat_of(PassRoom* room, std::int64_t n, std::int64_t columns) {
  if (room->flat.size() < n * columns) room->flat = Tensor({n, columns});
  return room->flat.data();
}

void clamp_all(float limit, float* x, std::int64_t count) {
  if (limit == 0.0f) return;
  for (std::int64_t i = 0; i < count; ++i) x[i] = std::clamp(x[i], -limit, limit);
}

// One separate projection of x, split into heads of `dim`: [head, row, dim].
Tensor project_one(const StackSpec& stack, const Weight& weight, const Norm& norm, const float* x,
                   std::int64_t n, PassRoom* room) {
  const std::int64_t columns = weight.out(), dim = stack.head_dim;
  float* flat = flat_of(room, n, columns);
  product(x, n, weight, flat);
  clamp_all(stack.clip_qkv, flat, n * columns);
  if (norm.gain != nullptr && stack.qk_norm == QkNorm::kWhole)
    normalise(stack.qk_norm_kind, flat, n, columns, norm, stack.norm_epsilon, flat);
  Tensor out({columns / dim, n, dim});
  take_heads(flat, columns, 0, columns / dim, 0, &out);
  return out;
}

// The norm of queries or keys, already split into heads.
void normalise_heads(const StackSpec& stack, const Norm& norm, Tensor* x) {
  const bool shared = stack.qk_norm == QkNorm::kSharedHead;
  if (norm.gain == nullptr || (!shared && stack.qk_norm != QkNorm::kEachHead)) return;
  const std::int64_t heads = x->shape()[0], n = x->shape()[1], dim = x->shape()[2];
  for (std::int64_t head = 0; head < (shared ? 1 : heads); ++head) {
    const Norm own{norm.gain + head * dim, norm.bias == nullptr ? nullptr : norm.bias + head * dim};
    float* rows = x->data() + head * n * dim;
    normalise(stack.qk_norm_kind, rows, shared ? heads * n : n, dim, own, stack.norm_epsilon, rows);
  }
}

// Queries, keys and values of one layer, before rotation.
void project(const Pass& pass, const AttentionWeights& w, const Tensor& x, PassRoom* room,
             AttentionRecord* record) {
  const StackSpec& stack = pass.stack;
  const std::int64_t n = x.shape()[0], dim = stack.head_dim;
  const std::int64_t heads = stack.heads, kv_heads = stack.kv_heads;
  if (present(w.qkv)) {
    const std::int64_t inner = heads * dim, kv = kv_heads * dim, stride = inner + 2 * kv;
    float* flat = flat_of(room, n, stride);
    product(x.data(), n, w.qkv, flat);
    clamp_all(stack.clip_qkv, flat, n * stride);
    record->query = Tensor({heads, n, dim});
    record->key = Tensor({kv_heads, n, dim});
    record->value = Tensor({kv_heads, n, dim});
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
    record->query = project_one(stack, w.query, w.query_norm, x.data(), n, room);
    record->key = project_one(stack, w.key, w.key_norm, x.data(), n, room);
    record->value = project_one(stack, w.value, {}, x.data(), n, room);
  }
  normalise_heads(stack, w.query_norm, &record->query);
  normalise_heads(stack, w.key_norm, &record->key);
}

const RotaryTable& rotary_table(const Pass& pass, int which, std::int64_t n, PassRoom* room) {
  const auto found = room->rotaries.find(which);
  if (found != room->rotaries.end()) return found->second;
  const RotarySpec& spec = pass.stack.rotaries[static_cast<std::size_t>(which)];
  return room->rotaries
      .emplace(which, rotary_table(spec, texts_of(pass.starts, n), pass.first, pass.positions))
      .first->second;
}

void turn(const RotarySpec& spec, const RotaryTable& table, Tensor* x) {
  const std::int64_t heads = x->shape()[0], n = x->shape()[1], dim = x->shape()[2];
  for (std::int64_t head = 0; head < heads; ++head)
    kernels::rotate(x->data() + head * n * dim, n, dim, table.cosine.shape()[1], spec.neighbours,
                    table.cosine.data(), table.sine.data());
}

Tensor copy_of(const float* values, Shape shape) {
  Tensor copy(std::move(shape));
  std::copy_n(values, copy.size(), copy.data());
  return copy;
}

// DeBERTa: rows [head, token, dim] times the projected table of relative positions, as
// [head, token, slot].
Tensor relative_part(const Pass& pass, const Weight& weight, const Tensor& rows, PassRoom* room) {
  const std::int64_t slots = 2 * pass.stack.disentangled->span;
  const std::int64_t heads = rows.shape()[0], n = rows.shape()[1], dim = rows.shape()[2];
  const Tensor table =
      project_one(pass.stack, weight, {}, pass.weights.relative_embedding, slots, room);
  Tensor out({heads, n, slots});
  for (std::int64_t head = 0; head < heads; ++head) {
    const Weight own{{DType::kF32,
                      {slots, dim},
                      reinterpret_cast<const std::byte*>(table.data() + head * slots * dim)},
                     false,
                     nullptr};
    product(rows.data() + head * n * dim, n, own, out.data() + head * n * slots);
  }
  return out;
}

// What else a score of self-attention takes.
void add_terms(const Pass& pass, const AttentionWeights& w, PassRoom* room,
               AttentionRecord* record) {
  const StackSpec& stack = pass.stack;
  record->score.alibi = stack.alibi;
  if (stack.alibi != Alibi::kNone) {
    const std::vector<float> slopes = alibi_slopes(stack.heads);
    record->alibi_slopes = copy_of(slopes.data(), {stack.heads});
  }
  if (w.sinks != nullptr) record->sinks = copy_of(w.sinks, {stack.heads});
  if (stack.relative) {
    const RelativeBias& relative = *stack.relative;
    const std::vector<float> bias =
        t5_bias(pass.weights.relative_bias, relative.buckets, stack.heads, relative.max_distance,
                relative.bidirectional);
    record->bias = copy_of(bias.data(), {stack.heads, 2 * relative.max_distance + 1});
  }
  if (stack.disentangled) {
    const Disentangled& parts = *stack.disentangled;
    const std::int64_t n = record->query.shape()[1];
    if (parts.content_to_position)
      record->query_relative =
          relative_part(pass, parts.shares_keys ? w.key : w.position_key, record->query, room);
    if (parts.position_to_content)
      record->key_relative =
          relative_part(pass, parts.shares_keys ? w.query : w.position_query, record->key, room);
    record->relative_slot = deberta_slots(std::max<std::int64_t>(1, n - 1), parts.span,
                                          parts.bucket_size, parts.max_position);
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
  *cached = copy_of(now->data(), now->shape());
}

// Attention of a record whose queries, keys and values are complete, into room->mixed.
void attend(const Pass& pass, const std::uint8_t* key_valid, bool watched,
            const std::shared_ptr<AttentionRecord>& record, PassRoom* room) {
  Observer* observer = watched ? pass.observer : nullptr;
  const auto show = [&](Point point, Tensor* x) {
    if (observer != nullptr) observer->at(point, record->layer, {x->data(), x->shape()});
  };
  show(Point::kQuery, &record->query);
  show(Point::kKey, &record->key);
  show(Point::kValue, &record->value);
  const std::int64_t heads = record->query.shape()[0], n = record->query.shape()[1];
  const std::int64_t keys = record->key.shape()[1];
  record->lse = Buffer<double>({heads, n});
  const bool wanted = observer != nullptr && observer->wants_record(record->layer);
  const bool overview = wanted && observer->wants_overview();
  if (overview && pass.starts.size() > 1)
    throw Error("model input: an overview is of one text, and there are several");
  if (overview) {
    record->block_edge = overview_edge(std::max(n, keys));
    const std::int64_t edge = record->block_edge;
    const Shape blocks{heads, (n + edge - 1) / edge, (keys + edge - 1) / edge};
    record->overview_sum = Tensor(blocks);
    record->overview_max = Tensor(blocks);
  }
  const AttentionInput all = attention_input(*record, key_valid);
  const std::vector<TextRange> texts = texts_of(pass.starts, n);
  const auto attend_to = [&](const TextRange& text) {
    if (texts.size() == 1)
      attention_forward(
          all,
          {room->mixed.data(), record->lse.data(), overview ? record->overview_sum.data() : nullptr,
           overview ? record->overview_max.data() : nullptr},
          pass.cancel);
    else
      attention_forward(part_of(all, text.begin, text.end),
                        {room->mixed.data() + text.begin * heads * all.value_dim,
                         record->lse.data() + text.begin * heads},
                        pass.cancel);
  };
  try {
    for_each_text(texts, attend_to);
  } catch (const Error& error) {
    if (error.kind() != Error::Kind::kFailed) throw;
    throw Error(fmt::format("{}: layer {}: {}", pass.file, record->layer, error.what()));
  }
  if (wanted) observer->record(record);
  show(Point::kMixed, &room->mixed);
}

}  // namespace

RotaryTable rotary_table(const RotarySpec& spec, const std::vector<TextRange>& texts,
                         std::int64_t first, std::span<const std::int64_t> positions) {
  const std::int64_t n = texts.back().end;
  const auto pairs = static_cast<std::int64_t>(spec.frequencies.size());
  RotaryTable table{Tensor({n, pairs}), Tensor({n, pairs})};
  if (!positions.empty()) {
    for (const TextRange& text : texts) {
      const std::vector<float> frequencies =
          frequencies_for(spec, positions[static_cast<std::size_t>(text.end - 1)] + 1);
      for (std::int64_t i = text.begin; i < text.end; ++i)
        kernels::rotary_table(frequencies, positions[static_cast<std::size_t>(i)], 1,
                              spec.magnitude, table.cosine.data() + i * pairs,
                              table.sine.data() + i * pairs);
    }
    return table;
  }
  TextRange known{0, 0};  // whose rows are there
  std::vector<float> known_frequencies;
  for (const TextRange& text : texts) {
    const std::int64_t length = text.end - text.begin;
    std::vector<float> frequencies = frequencies_for(spec, first + length);
    float* const cosine = table.cosine.data() + text.begin * pairs;
    float* const sine = table.sine.data() + text.begin * pairs;
    std::int64_t same = 0;
    if (frequencies == known_frequencies) {
      same = std::min(length, known.end - known.begin);
      std::copy_n(table.cosine.data() + known.begin * pairs, same * pairs, cosine);
      std::copy_n(table.sine.data() + known.begin * pairs, same * pairs, sine);
    }
    kernels::rotary_table(frequencies, first + same, length - same, spec.magnitude,
                          cosine + same * pairs, sine + same * pairs);
    if (same < length) {
      known = text;
      known_frequencies = std::move(frequencies);
    }
  }
  return table;
}

AttentionInput attention_input(const AttentionRecord& record, const std::uint8_t* key_valid) {
  AttentionInput in;
  in.query = record.query.data();
  in.key = record.key.data();
  in.value = record.value.data();
  in.key_valid = key_valid;
  in.heads = record.query.shape()[0];
  in.kv_heads = record.key.shape()[0];
  in.queries = record.query.shape()[1];
  in.keys = record.key.shape()[1];
  in.dim = record.query.shape()[2];
  in.value_dim = record.value.shape()[2];
  in.score = record.score;
  in.terms = record.terms();
  return in;
}

AttentionInput part_of(const AttentionInput& all, std::int64_t begin, std::int64_t end) {
  AttentionInput in = all;
  const auto part = [&](const float** rows, RowLayout* layout, std::int64_t count,
                        std::int64_t dim) {
    *rows += begin * dim;
    *layout = {dim, count * dim};
  };
  part(&in.query, &in.query_layout, all.queries, all.dim);
  part(&in.key, &in.key_layout, all.keys, all.dim);
  part(&in.value, &in.value_layout, all.keys, all.value_dim);
  in.queries = in.keys = end - begin;
  return in;
}

void for_each_text(const std::vector<TextRange>& texts,
                   const std::function<void(const TextRange&)>& body) {
  const auto count = std::ssize(texts);
  if (count >= 2 * thread_count())
    return parallel_for(count, [&](std::int64_t i) { body(texts[static_cast<std::size_t>(i)]); });
  for (const TextRange& text : texts) body(text);
}

void self_attention(const Pass& pass, int l, const AttentionWeights& w, const Tensor& x,
                    PassRoom* room) {
  const StackSpec& stack = pass.stack;
  const LayerSpec& layer = stack.layer[static_cast<std::size_t>(l)];
  auto record = std::make_shared<AttentionRecord>();
  record->layer = l;
  record->score.scale = layer.scale;
  record->score.cap = stack.cap;
  record->score.causal = stack.causal;
  record->score.window = layer.window;
  project(pass, w, x, room, record.get());
  if (layer.rotary >= 0) {
    const RotaryTable& table = rotary_table(pass, layer.rotary, x.shape()[0], room);
    const RotarySpec& spec = stack.rotaries[static_cast<std::size_t>(layer.rotary)];
    turn(spec, table, &record->query);
    turn(spec, table, &record->key);
  }
  if (pass.cache != nullptr) {
    const auto at = static_cast<std::size_t>(l);
    join_cache(&pass.cache->key[at], pass.cache->length, &record->key);
    join_cache(&pass.cache->value[at], pass.cache->length, &record->value);
  }
  add_terms(pass, w, room, record.get());
  attend(pass, pass.key_valid, !pass.records_cross, record, room);
  product(room->mixed.data(), x.shape()[0], w.out, room->out.data());
}

void cross_attention(const Pass& pass, int l, const AttentionWeights& w, const Tensor& x,
                     PassRoom* room) {
  const StackSpec& stack = pass.stack;
  auto record = std::make_shared<AttentionRecord>();
  record->layer = l;
  record->score.scale = stack.layer[static_cast<std::size_t>(l)].scale;
  record->query = project_one(stack, w.query, {}, x.data(), x.shape()[0], room);
  const auto at = static_cast<std::size_t>(l);
  if (pass.cache != nullptr && !pass.cache->cross_key[at].empty()) {
    record->key = copy_of(pass.cache->cross_key[at].data(), pass.cache->cross_key[at].shape());
    record->value =
        copy_of(pass.cache->cross_value[at].data(), pass.cache->cross_value[at].shape());
  } else {
    const std::int64_t keys = pass.memory->shape()[0];
    record->key = project_one(stack, w.key, {}, pass.memory->data(), keys, room);
    record->value = project_one(stack, w.value, {}, pass.memory->data(), keys, room);
    if (pass.cache != nullptr) {
      pass.cache->cross_key[at] = copy_of(record->key.data(), record->key.shape());
      pass.cache->cross_value[at] = copy_of(record->value.data(), record->value.shape());
    }
  }
  attend(pass, pass.memory_valid, pass.records_cross, record, room);
  product(room->mixed.data(), x.shape()[0], w.out, room->out.data());
}

}  // namespace regard
