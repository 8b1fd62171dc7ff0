// SPDX-License-Identifier: Apache-2.0
// The roof that kernels are measured against: as many fused multiply-adds as the processor can do.
#pragma once

#include <cstdint>

namespace regard::kernels {

// Does nothing but float multiply-adds in registers, in this thread, on the instruction set in use:
// enough independent chains to hide their latency. Returns the operations done, two a lane and
// multiply-add; they take about `rounds` times 6 to 12 cycles.
double multiply_add(std::int64_t rounds);

}  // namespace regard::kernels
