// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b. One operand is packed into panels of lanes, the other is broadcast element by
// element. Which one is packed follows from the shape (a few hundred rows: the activations, which
// are the smaller; otherwise the weights); each element is the same chain of multiply-adds along k
// either way, so the choice does not show in the result.
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

// Rows for which packing x is cheaper than packing W.
inline constexpr std::int64_t kFewestPackedRows = 6, kMostPackedRows = 255;
// Outputs of a task when x is packed.
inline constexpr std::int64_t kOutputBlock = 48;
// Panels of a task, and rows that it passes over at a time, when W is packed.
inline constexpr std::int64_t kPanelGroup = 4, kRowBlock = 96;

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

// Lanes are rows of x. x is packed into panels [in][kPanel] (the last one [in][kLanes] when half
// of it suffices); a task takes kOutputBlock rows of W as they lie.
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
    float* const sums = scratch(Scratch::kTile, panels * kOutputBlock * kPanel);  // [panel][output]
    for (std::int64_t panel = 0; panel < panels; ++panel)
      for (std::int64_t o = 0; o < outputs; ++o)
        std::fill_n(sums + panel * kOutputBlock * kPanel + o * width_of(panel), width_of(panel),
                    p.bias != nullptr ? p.bias[first + o] : 0.0f);
    for (std::int64_t k = 0; k < p.in; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, p.in - k);
      const Rows a =
          weight_rows(p, first, outputs, k, depth, scratch(Scratch::kPanel, kOutputBlock * kDepth));
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        const std::int64_t width = width_of(panel);
        const float* const b = packed + panel * kPanel * p.in + k * width;
        float* const c = sums + panel * kOutputBlock * kPanel;
        if (width == kPanel) {
          multiply_rows<2>(outputs, a.data, a.stride, b, depth, c, width);
        } else {
          multiply_rows<1>(outputs, a.data, a.stride, b, depth, c, width);
        }
      }
    }
    for (std::int64_t panel = 0; panel < panels; ++panel)
      store_transposed(sums + panel * kOutputBlock * kPanel, width_of(panel), outputs,
                       std::min(kPanel, p.rows - panel * kPanel),
                       p.y + panel * kPanel * p.y_stride + first, p.y_stride);
  });
}

// Lanes are outputs. A task packs kPanelGroup panels of W, one block of k at a time, and passes
// over all rows with them.
void multiply_packed_weights(const Product& p, bool transposed) {
  const std::int64_t panels = blocks(p.out, kPanel);
  const std::int64_t group =
      std::clamp<std::int64_t>(panels / (4 * thread_count()), 1, kPanelGroup);
  parallel_for(blocks(panels, group), [&](std::int64_t task) {
    const std::int64_t first = task * group * kPanel;
    const std::int64_t outputs = std::min(group * kPanel, p.out - first);
    float* const packed = scratch(Scratch::kPanel, kPanelGroup * kDepth * kPanel);
    float* const edge = scratch(Scratch::kTile, kRowBlock * kPanel);
    float* const room = scratch(Scratch::kExpanded, kPanel * kDepth);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      float* const y = p.y + r * p.y_stride + first;
      if (p.bias != nullptr) {
        std::copy_n(p.bias + first, outputs, y);
      } else {
        std::fill_n(y, outputs, 0.0f);
      }
    }
    for (std::int64_t k = 0; k < p.in; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, p.in - k);
      for (std::int64_t o = 0; o < outputs; o += kPanel) {
        const std::int64_t columns = std::min(kPanel, outputs - o);
        float* const panel = packed + o * kDepth;
        if (transposed) {
          const auto size = static_cast<std::int64_t>(size_of(p.type));
          expand_rows(p.type, p.weight + k * p.row_bytes + (first + o) * size, p.row_bytes, depth,
                      columns, panel, kPanel);
          if (columns < kPanel)
            for (std::int64_t i = 0; i < depth; ++i)
              std::fill(panel + i * kPanel + columns, panel + (i + 1) * kPanel, 0.0f);
        } else {
          const Rows rows = weight_rows(p, first + o, columns, k, depth, room);
          pack_transposed(rows.data, rows.stride, columns, depth, kPanel, panel);
        }
      }
      for (std::int64_t r = 0; r < p.rows; r += kRowBlock) {
        const std::int64_t rows = std::min(kRowBlock, p.rows - r);
        const float* const a = p.x + r * p.x_stride + k;
        for (std::int64_t o = 0; o < outputs; o += kPanel) {
          const std::int64_t columns = std::min(kPanel, outputs - o);
          float* const y = p.y + r * p.y_stride + first + o;
          if (columns == kPanel) {
            multiply_rows<2>(rows, a, p.x_stride, packed + o * kDepth, depth, y, p.y_stride);
            continue;
          }
          for (std::int64_t i = 0; i < rows; ++i) {
            std::copy_n(y + i * p.y_stride, columns, edge + i * kPanel);
            std::fill(edge + i * kPanel + columns, edge + (i + 1) * kPanel, 0.0f);
          }
          multiply_rows<2>(rows, a, p.x_stride, packed + o * kDepth, depth, edge, kPanel);
          for (std::int64_t i = 0; i < rows; ++i)
            std::copy_n(edge + i * kPanel, columns, y + i * p.y_stride);
        }
      }
    }
  });
}

void multiply(const Product& p, bool transposed) {
  if (!transposed && p.rows >= kFewestPackedRows && p.rows <= kMostPackedRows) {
    multiply_packed_rows(p);
  } else {
    multiply_packed_weights(p, transposed);
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
  const TypeBlock block = block_of(type);
  const std::int64_t row = weight.data.shape[1];
  if (row % static_cast<std::int64_t>(block.elements) != 0 ||
      (weight.transposed && block.elements > 1))
    throw Error::at("", "weight", "rows of whole blocks", to_string(weight.data.shape));
  const std::int64_t row_bytes =
      row / static_cast<std::int64_t>(block.elements) * static_cast<std::int64_t>(block.bytes);
  HWY_DYNAMIC_DISPATCH(multiply)
  ({x, rows, x_stride, type, weight.data.data, row_bytes, weight.bias, weight.out(), weight.in(), y,
    y_stride, weight.data.scales},
   weight.transposed);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
