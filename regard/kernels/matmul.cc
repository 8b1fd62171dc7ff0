// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b, in three ways. From a few rows on, the lanes of a vector are rows of x: blocks of
// x are packed, and W is broadcast element by element from where it lies. With fewer rows, a
// product that waits for memory, the lanes are outputs, and every weight is read once. With so many
// rows that W is less to pack than x and y, it is W that is packed, and x that is broadcast. Each
// element is the same chain of multiply-adds along k every way, so the choice does not show in the
// result.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/matmul.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/matmul-inl.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "regard/kernels/expand.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/scratch.h"
#include "regard/platform/error.h"
#include "regard/platform/threads.h"

#ifndef REGARD_KERNELS_MATMUL_PRODUCT_
#define REGARD_KERNELS_MATMUL_PRODUCT_
namespace regard::kernels {
namespace {

struct Product {
  const float* x;
  std::int64_t rows, x_stride;
  DType type;
  const std::byte* weight;
  std::int64_t row_bytes;
  bool transposed;
  const float* bias;
  std::int64_t out, in;
  float* y;
  std::int64_t y_stride;
  const std::byte* scales;  // of kMXFP4Split, one a block
};

}  // namespace
}  // namespace regard::kernels
#endif  // once, not per target

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

// Fewest rows whose lanes are rows, and most that are packed at a time: more where every passage
// over the weights expands them again.
inline constexpr std::int64_t kFewestPackedRows = 6, kMostPackedRows = 256,
                              kMostPackedRowsExpanded = 1024;
// Outputs of a task when x is packed.
inline constexpr std::int64_t kOutputBlock = 48;
// Bytes of weights of a task when few rows take them.
inline constexpr std::int64_t kFewRowsTask = std::int64_t{1} << 17;

inline std::int64_t blocks(std::int64_t count, std::int64_t block) {
  return (count + block - 1) / block;
}

struct Rows {
  const float* data;
  std::int64_t stride;
};

// Elements [k, k + depth) of rows [first, first + rows) of W as floats: where they lie when they
// are, else expanded into `room` [rows][kDepth].
inline Rows weight_rows(const Product& p, std::int64_t first, std::int64_t rows, std::int64_t k,
                        std::int64_t depth, float* room) {
  const TypeBlock block = block_of(p.type);
  const std::byte* const source =
      p.weight + first * p.row_bytes +
      k / static_cast<std::int64_t>(block.elements) * static_cast<std::int64_t>(block.bytes);
  if (p.type == DType::kF32 && reinterpret_cast<std::uintptr_t>(source) % alignof(float) == 0)
    return {reinterpret_cast<const float*>(source), p.in};
  const auto elements = static_cast<std::int64_t>(block.elements);
  const std::byte* const scales =
      p.scales == nullptr ? nullptr : p.scales + (first * p.in + k) / elements;
  expand_rows(p.type, source, p.row_bytes, rows, depth, room, kDepth, scales, p.in / elements);
  return {room, kDepth};
}

// Elements [k, k + depth) of outputs [first, first + outputs) of W for a tile, expanded into `room`
// [kOutputBlock x kDepth] unless they can be read where they lie.
inline Broadcast weight_block(const Product& p, std::int64_t first, std::int64_t outputs,
                              std::int64_t k, std::int64_t depth, float* room) {
  if (!p.transposed) {
    const Rows rows = weight_rows(p, first, outputs, k, depth, room);
    return {rows.data, rows.stride, 1};
  }
  const auto size = static_cast<std::int64_t>(size_of(p.type));
  expand_rows(p.type, p.weight + k * p.row_bytes + first * size, p.row_bytes, depth, outputs, room,
              kOutputBlock);
  return {room, 1, kOutputBlock};
}

// Lanes are rows of x, which is packed into panels [in][kPanel] (the last one [in][kLanes] when
// half of it suffices).
void multiply_packed_rows(const Product& p) {
  const std::int64_t panels = blocks(p.rows, kPanel);
  const auto width_of = [&](std::int64_t panel) {
    return p.rows - panel * kPanel > kLanes ? kPanel : kLanes;
  };
  float* const packed = scratch(Scratch::kRows, panels * kPanel * p.in);
  const auto pack = [&](std::int64_t panel) {
    pack_transposed(p.x + panel * kPanel * p.x_stride, p.x_stride,
                    std::min(kPanel, p.rows - panel * kPanel), p.in, width_of(panel),
                    packed + panel * kPanel * p.in);
  };
  if (p.rows * p.in > 1 << 16) {
    parallel_for(panels, pack);
  } else {
    for (std::int64_t panel = 0; panel < panels; ++panel) pack(panel);
  }

  parallel_for(blocks(p.out, kOutputBlock), [&](std::int64_t task) {
    const std::int64_t first = task * kOutputBlock;
    const std::int64_t outputs = std::min(kOutputBlock, p.out - first);
    float* const room = scratch(Scratch::kPanel, kOutputBlock * kDepth);
    float* const sums = scratch(Scratch::kTile, panels * kOutputBlock * kPanel);  // [panel][output]
    for (std::int64_t panel = 0; panel < panels; ++panel)
      for (std::int64_t o = 0; o < outputs; ++o)
        std::fill_n(sums + panel * kOutputBlock * kPanel + o * width_of(panel), width_of(panel),
                    p.bias != nullptr ? p.bias[first + o] : 0.0f);
    for (std::int64_t k = 0; k < p.in; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, p.in - k);
      const Broadcast a = weight_block(p, first, outputs, k, depth, room);
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        const std::int64_t width = width_of(panel);
        const float* const b = packed + panel * kPanel * p.in + k * width;
        float* const c = sums + panel * kOutputBlock * kPanel;
        if (width == kLanes) {
          multiply_rows<1, true>(outputs, a, b, depth, c, width);
        } else if (panel == 0 && a.data != room) {
          multiply_rows<2, true>(outputs, a, b, depth, c, width);
        } else {
          multiply_rows<2, false>(outputs, a, b, depth, c, width);
        }
      }
    }
    for (std::int64_t panel = 0; panel < panels; ++panel)
      store_transposed(sums + panel * kOutputBlock * kPanel, width_of(panel), outputs,
                       std::min(kPanel, p.rows - panel * kPanel),
                       p.y + panel * kPanel * p.y_stride + first, p.y_stride);
  });
}

// Rows of a task when W is packed.
inline constexpr std::int64_t kRowBlock = 8 * kTileRows;

// Lanes are outputs; W, of floats, is packed into panels [in][kPanel], zeros behind its last
// output.
void multiply_packed_weights(const Product& p) {
  const std::int64_t panels = blocks(p.out, kPanel);
  float* const packed = scratch(Scratch::kRows, panels * kPanel * p.in);
  const auto* const weight = reinterpret_cast<const float*>(p.weight);
  parallel_for(panels, [&](std::int64_t panel) {
    const std::int64_t first = panel * kPanel, outputs = std::min(kPanel, p.out - first);
    float* const to = packed + first * p.in;
    if (p.transposed)
      pack_columns(weight + first, p.out, p.in, outputs, to);
    else
      pack_transposed(weight + first * p.in, p.in, outputs, p.in, kPanel, to);
  });
  parallel_for(blocks(p.rows, kRowBlock), [&](std::int64_t task) {
    const std::int64_t first = task * kRowBlock, rows = std::min(kRowBlock, p.rows - first);
    float* const sums = scratch(Scratch::kTile, kRowBlock * kPanel);  // [row][output]
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      const std::int64_t o = panel * kPanel, outputs = std::min(kPanel, p.out - o);
      std::fill_n(sums, kPanel, 0.0f);
      if (p.bias != nullptr) std::copy_n(p.bias + o, outputs, sums);
      for (std::int64_t r = 1; r < rows; ++r) std::copy_n(sums, kPanel, sums + r * kPanel);
      for (std::int64_t k = 0; k < p.in; k += kPackedDepth)
        multiply_rows<2, false>(rows, {p.x + first * p.x_stride + k, p.x_stride, 1},
                                packed + (o * p.in) + k * kPanel, std::min(kPackedDepth, p.in - k),
                                sums, kPanel);
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(sums + r * kPanel, outputs, p.y + (first + r) * p.y_stride + o);
    }
  });
}

template <int kRows>
void multiply_few_rows_of(std::int64_t rows, const float* x, std::int64_t x_stride,
                          const float* const* w, std::int64_t depth, std::int64_t ahead,
                          float* sums) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return multiply_few<kRows>(x, x_stride, w, depth, ahead, sums);
    multiply_few_rows_of<kRows - 1>(rows, x, x_stride, w, depth, ahead, sums);
  }
}

// Lanes are outputs.
void multiply_few_rows(const Product& p) {
  const std::int64_t panels = blocks(p.out, kPanel);
  const std::int64_t group =
      std::clamp<std::int64_t>(kFewRowsTask / (kPanel * p.in * 4), 1, blocks(panels, 8));
  parallel_for(blocks(panels, group), [&](std::int64_t task) {
    float* const room = scratch(Scratch::kPanel, kPanel * kDepth);
    float* const sums = scratch(Scratch::kTile, kFewestPackedRows * kPanel);  // [row][output]
    for (std::int64_t panel = task * group; panel < std::min(panels, (task + 1) * group); ++panel) {
      const std::int64_t first = panel * kPanel, outputs = std::min(kPanel, p.out - first);
      for (std::int64_t r = 0; r < p.rows; ++r)
        for (std::int64_t o = 0; o < kPanel; ++o)
          sums[r * kPanel + o] = p.bias != nullptr && o < outputs ? p.bias[first + o] : 0.0f;
      for (std::int64_t k = 0; k < p.in; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, p.in - k);
        const Rows w = weight_rows(p, first, outputs, k, depth, room);
        const float* row[kPanel];
        for (std::int64_t o = 0; o < kPanel; ++o)
          row[o] = w.data + std::min(o, outputs - 1) * w.stride;
        // The same columns of the next panel.
        const std::int64_t ahead =
            w.data != room && first + 2 * kPanel <= p.out ? kPanel * w.stride : 0;
        multiply_few_rows_of<kFewestPackedRows - 1>(p.rows, p.x + k, p.x_stride, row, depth, ahead,
                                                    sums);
      }
      for (std::int64_t r = 0; r < p.rows; ++r)
        std::copy_n(sums + r * kPanel, outputs, p.y + r * p.y_stride + first);
    }
  });
}

void multiply(const Product& p) {
  if (p.rows < kFewestPackedRows && !p.transposed) return multiply_few_rows(p);
  const bool floats =
      p.type == DType::kF32 && reinterpret_cast<std::uintptr_t>(p.weight) % alignof(float) == 0;
  if (floats && p.rows * (p.in + p.out) > 2 * p.in * p.out) return multiply_packed_weights(p);
  const bool in_place = p.type == DType::kF32 && !p.transposed;
  const std::int64_t chunks = blocks(p.rows, in_place ? kMostPackedRows : kMostPackedRowsExpanded);
  const std::int64_t chunk = blocks(blocks(p.rows, chunks), kPanel) * kPanel;
  for (std::int64_t r = 0; r < p.rows; r += chunk) {
    Product part = p;
    part.x += r * p.x_stride;
    part.y += r * p.y_stride;
    part.rows = std::min(chunk, p.rows - r);
    multiply_packed_rows(part);
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(multiply);

void matmul(const float* x, std::int64_t rows, std::int64_t x_stride, const Weight& weight,
            float* y, std::int64_t y_stride) {
  const DType type = weight.data.dtype;
  if (!can_expand(type)) throw Error::at("", "weight", "a type of weights", name_of(type));
  if (weight.data.shape.size() != 2)
    throw Error::at("", "weight", "two axes", to_string(weight.data.shape));
  if (rows <= 0 || weight.out() == 0) return;
  if (weight.in() == 0) throw Error::at("", "weight", "inputs", to_string(weight.data.shape));
  const TypeBlock block = block_of(type);
  const std::int64_t row = weight.data.shape[1];
  if (row % static_cast<std::int64_t>(block.elements) != 0 ||
      (weight.transposed && block.elements > 1))
    throw Error::at("", "weight", "rows of whole blocks", to_string(weight.data.shape));
  const std::int64_t row_bytes =
      row / static_cast<std::int64_t>(block.elements) * static_cast<std::int64_t>(block.bytes);
  HWY_DYNAMIC_DISPATCH(multiply)
  ({x, rows, x_stride, type, weight.data.data, row_bytes, weight.transposed, weight.bias,
    weight.out(), weight.in(), y, y_stride, weight.data.scales});
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
