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

#include "regard/kernels/matmul.h"
#include "regard/kernels/scratch.h"
#include "regard/platform/error.h"
#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

// Rows for which packing x is cheaper than packing W.
inline constexpr std::int64_t kFewestPackedRows = 6, kMostPackedRows = 255;
// Outputs of a task when x is packed.
inline constexpr std::int64_t kOutputBlock = 48;
// Panels of a task, and rows that it passes over at a time, when W is packed.
inline constexpr std::int64_t kPanelGroup = 4, kRowBlock = 96;

struct Product {
  const float* x;
  std::int64_t rows, x_stride;
  const std::byte* weight;
  const float* bias;
  std::int64_t out, in;
  float* y;
  std::int64_t y_stride;
};

inline std::int64_t blocks(std::int64_t count, std::int64_t block) {
  return (count + block - 1) / block;
}

// Lanes are rows of x. x is packed into panels [in][kPanel] (the last one [in][kLanes] when half
// of it suffices); a task takes kOutputBlock rows of W as they lie.
template <DType kType>
void multiply_packed_rows(const Product& p) {
  const std::int64_t panels = blocks(p.rows, kPanel);
  const auto width_of = [&](std::int64_t panel) {
    return p.rows - panel * kPanel > kLanes ? kPanel : kLanes;
  };
  float* const packed = scratch(Scratch::kRows, panels * kPanel * p.in);
  const auto pack = [&](std::int64_t panel) {
    pack_transposed<DType::kF32>(
        reinterpret_cast<const std::byte*>(p.x + panel * kPanel * p.x_stride), p.x_stride * 4,
        std::min(kPanel, p.rows - panel * kPanel), p.in, width_of(panel),
        packed + panel * kPanel * p.in);
  };
  if (p.rows * p.in > 1 << 16) {
    parallel_for(panels, pack);
  } else {
    for (std::int64_t panel = 0; panel < panels; ++panel) pack(panel);
  }

  const bool in_place =
      kType == DType::kF32 && reinterpret_cast<std::uintptr_t>(p.weight) % alignof(float) == 0;
  parallel_for(blocks(p.out, kOutputBlock), [&](std::int64_t task) {
    const std::int64_t first = task * kOutputBlock;
    const std::int64_t outputs = std::min(kOutputBlock, p.out - first);
    const std::byte* const weight = p.weight + first * p.in * kSize<kType>;
    float* const sums = scratch(Scratch::kTile, panels * kOutputBlock * kPanel);  // [panel][output]
    for (std::int64_t panel = 0; panel < panels; ++panel)
      for (std::int64_t o = 0; o < outputs; ++o)
        std::fill_n(sums + panel * kOutputBlock * kPanel + o * width_of(panel), width_of(panel),
                    p.bias != nullptr ? p.bias[first + o] : 0.0f);
    for (std::int64_t k = 0; k < p.in; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, p.in - k);
      const float* a = reinterpret_cast<const float*>(weight) + k;
      std::int64_t a_stride = p.in;
      if (!in_place) {
        float* const converted = scratch(Scratch::kPanel, kOutputBlock * kDepth);
        for (std::int64_t o = 0; o < outputs; ++o)
          convert_row<kType>(weight + (o * p.in + k) * kSize<kType>, depth, converted + o * kDepth);
        a = converted;
        a_stride = kDepth;
      }
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        const std::int64_t width = width_of(panel);
        const float* const b = packed + panel * kPanel * p.in + k * width;
        float* const c = sums + panel * kOutputBlock * kPanel;
        if (width == kPanel) {
          multiply_rows<2>(outputs, a, a_stride, b, depth, c, width);
        } else {
          multiply_rows<1>(outputs, a, a_stride, b, depth, c, width);
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
template <DType kType, bool kTransposed>
void multiply_packed_weights(const Product& p) {
  const std::int64_t panels = blocks(p.out, kPanel);
  const std::int64_t group =
      std::clamp<std::int64_t>(panels / (4 * thread_count()), 1, kPanelGroup);
  parallel_for(blocks(panels, group), [&](std::int64_t task) {
    const std::int64_t first = task * group * kPanel;
    const std::int64_t outputs = std::min(group * kPanel, p.out - first);
    float* const packed = scratch(Scratch::kPanel, kPanelGroup * kDepth * kPanel);
    float* const edge = scratch(Scratch::kTile, kRowBlock * kPanel);
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
        if constexpr (kTransposed) {
          pack_straight<kType>(p.weight + (k * p.out + first + o) * kSize<kType>,
                               p.out * kSize<kType>, columns, depth, panel);
        } else {
          pack_transposed<kType>(p.weight + ((first + o) * p.in + k) * kSize<kType>,
                                 p.in * kSize<kType>, columns, depth, kPanel, panel);
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

template <DType kType>
void multiply_as(const Product& p, bool transposed) {
  if (transposed) return multiply_packed_weights<kType, true>(p);
  if (p.rows >= kFewestPackedRows && p.rows <= kMostPackedRows)
    return multiply_packed_rows<kType>(p);
  multiply_packed_weights<kType, false>(p);
}

void multiply(const float* x, std::int64_t rows, std::int64_t x_stride, const Weight& weight,
              float* y, std::int64_t y_stride) {
  const Product p{x,           rows, x_stride, weight.data.data, weight.bias, weight.out(),
                  weight.in(), y,    y_stride};
  switch (weight.data.dtype) {
    case DType::kF32:
      return multiply_as<DType::kF32>(p, weight.transposed);
    case DType::kF16:
      return multiply_as<DType::kF16>(p, weight.transposed);
    default:
      return multiply_as<DType::kBF16>(p, weight.transposed);
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
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kBF16)
    throw Error::at("", "weight", "F32, F16 or BF16", name_of(type));
  if (weight.data.shape.size() != 2)
    throw Error::at("", "weight", "two axes", to_string(weight.data.shape));
  HWY_DYNAMIC_DISPATCH(multiply)(x, rows, x_stride, weight, y, y_stride);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
