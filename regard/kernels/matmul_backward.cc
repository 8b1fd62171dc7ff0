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

// Tiles of a's columns and panels of b's that a task takes.
inline constexpr std::int64_t kTiles = 4, kPanels = 8;

inline std::int64_t blocks(std::int64_t count, std::int64_t block) {
  return (count + block - 1) / block;
}

// Rows [0, depth) of x [..][width] to [piece][row][kPiece], a piece of kPiece columns after the
// other, zeros behind the last column. Rows are read as they lie.
template <std::int64_t kPiece>
void pack_pieces(const float* x, std::int64_t width, std::int64_t depth, float* HWY_RESTRICT out) {
  const std::int64_t whole = width / kPiece, rest = width % kPiece;
  for (std::int64_t k = 0; k < depth; ++k, x += width) {
    float* to = out + k * kPiece;
    for (std::int64_t piece = 0; piece < whole; ++piece, to += depth * kPiece)
      for (std::int64_t i = 0; i < kPiece; ++i) to[i] = x[piece * kPiece + i];
    if (rest == 0) continue;
    std::copy_n(x + whole * kPiece, rest, to);
    std::fill(to + rest, to + kPiece, 0.0f);
  }
}

// out [columns of a][columns of b], dense, += a^T b; a: [rows][a_width], b: [rows][b_width].
void add_outer_products(const float* a, std::int64_t a_width, const float* b, std::int64_t b_width,
                        std::int64_t rows, float* out) {
  const std::int64_t tiles = blocks(a_width, kTileRows), panels = blocks(b_width, kPanel);
  // Both in blocks of kPackedDepth rows.
  float* const a_packed = scratch(Scratch::kColumns, tiles * kTileRows * rows);
  float* const b_packed = scratch(Scratch::kRows, panels * kPanel * rows);
  parallel_for(blocks(rows, kPackedDepth), [&](std::int64_t block) {
    const std::int64_t r = block * kPackedDepth, depth = std::min(kPackedDepth, rows - r);
    pack_pieces<kTileRows>(a + r * a_width, a_width, depth, a_packed + r * tiles * kTileRows);
    pack_pieces<kPanel>(b + r * b_width, b_width, depth, b_packed + r * panels * kPanel);
  });
  const std::int64_t groups = blocks(panels, kPanels);
  // Fewer tiles where tasks would be few.
  const std::int64_t height = blocks(tiles, kTiles) * groups < 16 ? 1 : kTiles;
  parallel_for(blocks(tiles, height) * groups, [&](std::int64_t task) {
    const std::int64_t tile = task / groups * height, panel = task % groups * kPanels;
    const std::int64_t high = std::min(height, tiles - tile);
    const std::int64_t wide = std::min(kPanels, panels - panel);
    constexpr std::int64_t kCells = kTileRows * kPanel;
    float* const sums = scratch(Scratch::kTile, kTiles * kPanels * kCells);  // [panel][tile]
    std::fill_n(sums, high * wide * kCells, 0.0f);
    for (std::int64_t r = 0; r < rows; r += kPackedDepth) {
      const std::int64_t depth = std::min(kPackedDepth, rows - r);
      const float* const at = a_packed + r * tiles * kTileRows + tile * depth * kTileRows;
      const float* const bt = b_packed + r * panels * kPanel + panel * depth * kPanel;
      for (std::int64_t p = 0; p < wide; ++p)
        for (std::int64_t t = 0; t < high; ++t)
          multiply_tile<kTileRows, kVectors, false>({at + t * depth * kTileRows, 1, kTileRows},
                                                    bt + p * depth * kPanel, depth,
                                                    sums + (p * high + t) * kCells, kPanel);
    }
    for (std::int64_t p = 0; p < wide; ++p) {
      const std::int64_t column = (panel + p) * kPanel,
                         columns = std::min(kPanel, b_width - column);
      for (std::int64_t t = 0; t < high; ++t)
        for (std::int64_t c = (tile + t) * kTileRows;
             c < std::min<std::int64_t>(a_width, (tile + t + 1) * kTileRows); ++c) {
          const float* const from =
              sums + (p * high + t) * kCells + (c - (tile + t) * kTileRows) * kPanel;
          float* const to = out + c * b_width + column;
          for (std::int64_t i = 0; i < columns; ++i) to[i] += from[i];
        }
    }
  });
}

// sums [columns] += each of the rows' first `columns`.
void add_rows(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t columns,
              float* sums) {
  for (std::int64_t r = 0; r < count; ++r)
    for (std::int64_t i = 0; i < columns; ++i) sums[i] += rows[r * stride + i];
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(add_outer_products);
HWY_EXPORT(add_rows);

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
    HWY_DYNAMIC_DISPATCH(add_rows)(dy + first, weight.out(), rows, columns, sums);
    for (std::int64_t i = 0; i < columns; ++i) db[first + i] += sums[i];
  });
}

void embedding_backward(const std::int64_t* index, std::int64_t rows, std::int64_t width,
                        const float* dy, float* table) {
  for_columns(width, [&](std::int64_t first, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = first; index[r] >= 0 && i < first + columns; ++i)
        table[index[r] * width + i] += dy[r * width + i];
  });
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
