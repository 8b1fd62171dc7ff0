// SPDX-License-Identifier: Apache-2.0
// The gradient of a weight is a sum of outer products of rows: a^T b. Blocks of a's columns are
// broadcast, the lanes of a vector are b's columns; both are packed on the way.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/matmul_backward.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/matmul-inl.h"

#include <algorithm>

#include "regard/kernels/matmul_backward.h"
#include "regard/kernels/scratch.h"
#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

// Columns of a that a task takes, and most panels of b's.
inline constexpr std::int64_t kColumns = 2 * kTileRows;
inline constexpr std::int64_t kMostPanels = 8;

// out [columns of a][columns of b], dense, += a^T b; a: [rows][a_width], b: [rows][b_width].
void add_outer_products(const float* a, std::int64_t a_width, const float* b, std::int64_t b_width,
                        std::int64_t rows, float* out) {
  const std::int64_t panels = (b_width + kPanel - 1) / kPanel;
  float* const packed = scratch(Scratch::kRows, panels * kPanel * rows);
  parallel_for(panels, [&](std::int64_t panel) {
    const std::int64_t width = std::min(kPanel, b_width - panel * kPanel);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* const to = packed + (panel * rows + r) * kPanel;
      std::copy_n(b + r * b_width + panel * kPanel, width, to);
      std::fill(to + width, to + kPanel, 0.0f);
    }
  });
  const std::int64_t blocks = (a_width + kColumns - 1) / kColumns;
  const std::int64_t groups = (panels + kMostPanels - 1) / kMostPanels;
  parallel_for(blocks * groups, [&](std::int64_t task) {
    const std::int64_t column = task / groups * kColumns;
    const std::int64_t columns = std::min(kColumns, a_width - column);
    const std::int64_t first = task % groups * kMostPanels;
    const std::int64_t last = std::min(panels, first + kMostPanels);
    float* const room = scratch(Scratch::kPanel, kDepth * kColumns);
    float* const sums = scratch(Scratch::kTile, kMostPanels * kColumns * kPanel);
    std::fill_n(sums, (last - first) * kColumns * kPanel, 0.0f);
    for (std::int64_t r = 0; r < rows; r += kDepth) {
      const std::int64_t depth = std::min(kDepth, rows - r);
      for (std::int64_t k = 0; k < depth; ++k)
        std::copy_n(a + (r + k) * a_width + column, columns, room + k * kColumns);
      for (std::int64_t panel = first; panel < last; ++panel)
        multiply_rows<kVectors, false>(columns, {room, 1, kColumns},
                                       packed + (panel * rows + r) * kPanel, depth,
                                       sums + (panel - first) * kColumns * kPanel, kPanel);
    }
    for (std::int64_t panel = first; panel < last; ++panel)
      for (std::int64_t c = 0; c < columns; ++c) {
        const float* const from = sums + ((panel - first) * kColumns + c) * kPanel;
        float* const to = out + (column + c) * b_width + panel * kPanel;
        const std::int64_t width = std::min(kPanel, b_width - panel * kPanel);
        for (std::int64_t i = 0; i < width; ++i) to[i] += from[i];
      }
  });
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(add_outer_products);

namespace {

// Columns of a table that a task takes: neighbours in memory, so that no two threads share a line.
constexpr std::int64_t kColumnsAtOnce = 64;

// Calls body(first column, columns).
template <typename Body>
void for_columns(std::int64_t width, const Body& body) {
  parallel_for((width + kColumnsAtOnce - 1) / kColumnsAtOnce, [&](std::int64_t task) {
    const std::int64_t first = task * kColumnsAtOnce;
    body(first, std::min(kColumnsAtOnce, width - first));
  });
}

void add_row(const float* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

void matmul_backward_input(const float* dy, std::int64_t rows, const Weight& weight, float* dx) {
  // dx = dy (W^T)^T: the same matrix, read the other way round.
  const Weight turned{weight.data, !weight.transposed, nullptr};
  matmul(dy, rows, weight.out(), turned, dx, weight.in());
}

void matmul_backward_weight(const float* x, const float* dy, std::int64_t rows,
                            const Weight& weight, float* dw, float* db) {
  if (weight.transposed)
    HWY_DYNAMIC_DISPATCH(add_outer_products)(x, weight.in(), dy, weight.out(), rows, dw);
  else
    HWY_DYNAMIC_DISPATCH(add_outer_products)(dy, weight.out(), x, weight.in(), rows, dw);
  if (db == nullptr) return;
  for_columns(weight.out(), [&](std::int64_t first, std::int64_t columns) {
    float sums[kColumnsAtOnce] = {};
    for (std::int64_t r = 0; r < rows; ++r) add_row(dy + r * weight.out() + first, columns, sums);
    add_row(sums, columns, db + first);
  });
}

void embedding_backward(const std::int64_t* index, std::int64_t rows, std::int64_t width,
                        const float* dy, float* table) {
  for_columns(width, [&](std::int64_t first, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r)
      if (index[r] >= 0) add_row(dy + r * width + first, columns, table + index[r] * width + first);
  });
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
