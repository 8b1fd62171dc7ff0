// SPDX-License-Identifier: Apache-2.0
// Attention, block of queries by block of queries: packs what is not dense, hands the blocks to the
// kernel of the instruction set, finishes rows and overview, and names what is not finite.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/forward.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/attention/forward-inl.h"

#if HWY_ONCE
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "regard/attention/forward.h"
#include "regard/attention/round.h"
#include "regard/platform/error.h"
#include "regard/tensor/tensor.h"

namespace regard {
HWY_EXPORT(attend_block);
HWY_EXPORT(store_mixed);
HWY_EXPORT(pool_column);
HWY_EXPORT(all_finite);

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Working memory of one thread, grown as needed; its size does not depend on the number of keys.
struct Scratch {
  Tensor qt, mixed, logits{{kKeyBlock, kQueryBlock}}, reference{{kQueryBlock}},
      share{{kQueryBlock}};
  Buffer<double> total{{kQueryBlock}};
  std::vector<Column> columns;

  void fit(std::int64_t dim, std::int64_t value_dim, std::int64_t overview_columns) {
    if (qt.size() < dim * kQueryBlock) qt = Tensor({dim, kQueryBlock});
    if (mixed.size() < value_dim * kQueryBlock) mixed = Tensor({value_dim, kQueryBlock});
    if (static_cast<std::int64_t>(columns.size()) < overview_columns)
      columns.resize(static_cast<std::size_t>(overview_columns));
  }
};

// An array [head, row, dim] as the kernel reads it.
struct Rows {
  const float* data;
  std::int64_t stride, head_stride;
  const float* head(std::int64_t h) const { return data + h * head_stride; }
};

Rows rows_of(const float* data, const RowLayout& layout, std::int64_t rows, std::int64_t dim) {
  return {data, layout.row > 0 ? layout.row : dim, layout.head > 0 ? layout.head : rows * dim};
}

// Keys or values as the kernel takes them, dense and rounded: where they are, when they are that
// already, else in memory of *own or, when given, `keep`.
Rows packed(const Rows& from, std::int64_t heads, std::int64_t rows, std::int64_t dim, DType type,
            float* keep, Tensor* own) {
  if (from.stride == dim && type == DType::kF32) return from;
  if (keep == nullptr) {
    *own = Tensor({heads, rows, dim});
    keep = own->data();
  }
  constexpr std::int64_t kRowsAtOnce = 256;
  const std::int64_t parts = (rows + kRowsAtOnce - 1) / kRowsAtOnce;
  parallel_for(heads * parts, [&](std::int64_t task) {
    const std::int64_t h = task / parts, begin = task % parts * kRowsAtOnce;
    for (std::int64_t r = begin; r < std::min(rows, begin + kRowsAtOnce); ++r) {
      const float* source = from.head(h) + r * from.stride;
      float* to = keep + (h * rows + r) * dim;
      if (type == DType::kF32) {
        std::copy_n(source, dim, to);
      } else {
        for (std::int64_t i = 0; i < dim; ++i) to[i] = rounded_to(type, source[i]);
      }
    }
  });
  return {keep, dim, rows * dim};
}

// Rows [begin, end) of head h to `keep` [head, row, dim], unless there is none or they lie in it.
void keep_rows(const Rows& from, std::int64_t h, std::int64_t rows, std::int64_t begin,
               std::int64_t end, std::int64_t dim, float* keep) {
  if (keep == nullptr || from.data == keep) return;
  if (from.stride == dim) {
    std::copy(from.head(h) + begin * dim, from.head(h) + end * dim,
              keep + (h * rows + begin) * dim);
    return;
  }
  for (std::int64_t r = begin; r < end; ++r)
    std::copy_n(from.head(h) + r * from.stride, dim, keep + (h * rows + r) * dim);
}

// Throws an Error naming the first of the rows [begin, end) that holds a NaN or an infinity.
// valid, of rows, may be null.
void check_finite(const Rows& rows, std::int64_t h, std::int64_t begin, std::int64_t end,
                  std::int64_t dim, const std::uint8_t* valid, std::int64_t head,
                  const char* what) {
  const float* data = rows.head(h);
  if (rows.stride == dim && valid == nullptr &&
      HWY_DYNAMIC_DISPATCH(all_finite)(data + begin * dim, (end - begin) * dim))
    return;
  for (std::int64_t r = begin; r < end; ++r) {
    const float* row = data + r * rows.stride;
    if ((valid != nullptr && valid[r] == 0) || HWY_DYNAMIC_DISPATCH(all_finite)(row, dim)) continue;
    const bool nan = std::any_of(row, row + dim, [](float x) { return std::isnan(x); });
    throw Error::at("", fmt::format("head {}, {} {}", head, what, r), "finite numbers",
                    nan ? "a NaN" : "an infinity");
  }
}

class Pass {
 public:
  Pass(const AttentionInput& in, const AttentionOutput& out)
      : in_(in),
        out_(out),
        edge_(overview_edge(std::max(in.queries, in.keys))),
        bands_((in.queries + edge_ - 1) / edge_),
        columns_((in.keys + edge_ - 1) / edge_),
        query_(rows_of(in.query, in.query_layout, in.queries, in.dim)),
        key_(packed(rows_of(in.key, in.key_layout, in.keys, in.dim), in.kv_heads, in.keys, in.dim,
                    in.key_value_type, out.key, &own_key_)),
        value_(packed(rows_of(in.value, in.value_layout, in.keys, in.value_dim), in.kv_heads,
                      in.keys, in.value_dim, in.key_value_type, out.value, &own_value_)) {}

  std::int64_t tasks() const { return in_.heads * bands_; }

  // A band of queries of one head, one row of the overview, is one thread's at a time. The last
  // bands first: under a causal mask they are the longest.
  void run(std::int64_t task, Scratch* scratch) const {
    const std::int64_t band = bands_ - 1 - task / in_.heads, head = task % in_.heads;
    float* sums = nullptr;
    float* maxima = nullptr;
    if (out_.overview_sum != nullptr) {
      const std::int64_t at = (head * bands_ + band) * columns_;
      sums = out_.overview_sum + at;
      maxima = out_.overview_max + at;
      std::fill_n(sums, columns_, 0.0f);
      std::fill_n(maxima, columns_, 0.0f);
    }
    if (band == bands_ - 1 && head % group() == 0) check_keys(head);
    scratch->fit(in_.dim, in_.value_dim, sums != nullptr ? columns_ : 0);
    const std::int64_t end = std::min(in_.queries, (band + 1) * edge_);
    keep_band(head, band, end);
    for (std::int64_t row = band * edge_; row < end; row += kQueryBlock) {
      const Block block =
          prepare(head, row, std::min(kQueryBlock, end - row), scratch, sums != nullptr);
      HWY_DYNAMIC_DISPATCH(attend_block)(block);
      finish_rows(block, head);
      float* out = out_.out + (row * in_.heads + head) * in_.value_dim;
      HWY_DYNAMIC_DISPATCH(store_mixed)(block, out, in_.heads * in_.value_dim);
      check_output(head, row, block.rows);
      for (std::int64_t c = block.key_begin / edge_; sums != nullptr && c * edge_ < block.key_end;
           ++c) {
        float sum = 0, largest = 0;
        HWY_DYNAMIC_DISPATCH(pool_column)(block, block.columns[c], &sum, &largest);
        sums[c] += sum;
        maxima[c] = std::max(maxima[c], largest);
      }
    }
  }

 private:
  std::int64_t group() const { return in_.heads / in_.kv_heads; }

  // Keys and values of the group that `head` is of; the group's first head is named.
  void check_keys(std::int64_t head) const {
    const std::int64_t kv = head / group(), first = kv * group();
    check_finite(key_, kv, 0, in_.keys, in_.dim, in_.key_valid, first, "key");
    check_finite(value_, kv, 0, in_.keys, in_.value_dim, in_.key_valid, first, "value of key");
  }

  // The record's rows of a band: its queries, and an equal share of keys and values.
  void keep_band(std::int64_t head, std::int64_t band, std::int64_t end) const {
    keep_rows(query_, head, in_.queries, band * edge_, end, in_.dim, out_.query);
    if (head % group() != 0) return;
    const std::int64_t kv = head / group();
    const std::int64_t from = in_.keys * band / bands_, to = in_.keys * (band + 1) / bands_;
    keep_rows(key_, kv, in_.keys, from, to, in_.dim, out_.key);
    keep_rows(value_, kv, in_.keys, from, to, in_.value_dim, out_.value);
  }

  // Throws what made a row overflow: a key or value that another task has yet to look at, else the
  // row itself.
  [[noreturn]] void fail_overflow(std::int64_t head, std::int64_t q, const char* expected) const {
    check_keys(head);
    throw Error::at("", fmt::format("head {}, query {}", head, q), expected, "an overflow");
  }

  Block prepare(std::int64_t head, std::int64_t row, std::int64_t rows, Scratch* scratch,
                bool overview) const {
    check_finite(query_, head, row, row + rows, in_.dim, nullptr, head, "query");
    const std::int64_t kv = head / group();
    Block b{};
    b.head.key = key_.head(kv);
    b.head.key_valid = in_.key_valid;
    b.head.queries = in_.queries, b.head.keys = in_.keys, b.head.dim = in_.dim;
    b.head.score = in_.score;
    b.head.terms = in_.terms.of_head(head, in_.queries, in_.keys);
    b.query = query_.head(head) + row * query_.stride;
    b.query_stride = query_.stride;
    b.value = value_.head(kv);
    b.value_dim = in_.value_dim;
    b.row_begin = row, b.rows = rows;
    for (std::int64_t r = 0; r < rows; ++r)
      b.ranges[r] = in_.score.visible(row + r, in_.queries, in_.keys);
    b.key_begin = b.ranges[0].begin;
    b.key_end = b.ranges[rows - 1].end;
    b.edge = edge_;
    b.qt = scratch->qt.data(), b.mixed = scratch->mixed.data();
    b.logits = scratch->logits.data();
    b.reference = scratch->reference.data(), b.share = scratch->share.data();
    b.total = scratch->total.data();
    if (overview) {
      b.columns = scratch->columns.data();
      for (std::int64_t c = b.key_begin / edge_; c * edge_ < b.key_end; ++c) {
        Column& column = b.columns[c];
        std::fill_n(column.sum, kQueryBlock, 0.0f);
        std::fill_n(column.reference, kQueryBlock, kNoReference);
        std::fill_n(column.top, kQueryBlock, -std::numeric_limits<float>::infinity());
      }
    }
    return b;
  }

  // Log-sum-exps, with the sink, and what a weight relative to the reference is worth.
  void finish_rows(const Block& b, std::int64_t head) const {
    std::fill_n(b.share, kQueryBlock, 0.0f);
    for (std::int64_t r = 0; r < b.rows; ++r) {
      const double total = b.total[r];
      const bool empty = total == 0.0;
      double lse = empty ? -kInfinity : static_cast<double>(b.reference[r]) + std::log(total);
      if (!(lse < kInfinity) || (!empty && b.reference[r] == kNoReference))
        fail_overflow(head, b.row_begin + r, "logits within the range of float");
      double kept = 1.0;  // what the sink leaves
      if (b.head.terms.sinks != nullptr) {
        const double sink = b.head.terms.sinks[0];
        const double top = std::max(lse, sink);
        const double joined = top + std::log(std::exp(lse - top) + std::exp(sink - top));
        kept = std::exp(lse - joined);
        lse = joined;
      }
      out_.lse[head * in_.queries + b.row_begin + r] = lse;
      if (!empty) b.share[r] = static_cast<float>(kept / total);
    }
  }

  // Weighted sums of finite values overflow only when values near the largest float are mixed.
  void check_output(std::int64_t head, std::int64_t row, std::int64_t rows) const {
    for (std::int64_t r = row; r < row + rows; ++r)
      if (!HWY_DYNAMIC_DISPATCH(all_finite)(out_.out + (r * in_.heads + head) * in_.value_dim,
                                            in_.value_dim))
        fail_overflow(head, r, "an output within the range of float");
  }

  const AttentionInput& in_;
  const AttentionOutput& out_;
  const std::int64_t edge_, bands_, columns_;
  Tensor own_key_, own_value_;
  const Rows query_, key_, value_;
};

}  // namespace

std::int64_t overview_edge(std::int64_t n) {
  const std::int64_t share = (n + 511) / 512;
  return std::max<std::int64_t>(64, (share + 63) / 64 * 64);
}

HeadView AttentionInput::head(std::int64_t index) const {
  HeadView view;
  view.query = query + index * queries * dim;
  view.key = key + index / (heads / kv_heads) * keys * dim;
  view.key_valid = key_valid;
  view.queries = queries, view.keys = keys, view.dim = dim;
  view.score = score;
  view.terms = terms.of_head(index, queries, keys);
  return view;
}

void attention_forward(const AttentionInput& in, const AttentionOutput& out,
                       const CancelToken* cancel) {
  if (in.queries == 0) return;
  const Pass pass(in, out);
  parallel_for(
      pass.tasks(),
      [&](std::int64_t task) {
        thread_local Scratch scratch;
        pass.run(task, &scratch);
      },
      cancel);
}

}  // namespace regard
#endif  // HWY_ONCE
