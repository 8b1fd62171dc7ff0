// SPDX-License-Identifier: Apache-2.0
// Activations, in place over `count` floats; accurate to 2e-7 absolute or 1e-6 relative.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace regard::kernels {

enum class Activation {
  kGelu,      // x/2 (1 + erf(x / sqrt 2)), Hendrycks & Gimpel 2016
  kGeluTanh,  // its tanh approximation
  kRelu,
  kSilu,  // x / (1 + exp(-x))
  kTanh,
  kQuickGelu,  // x / (1 + exp(-1.702 x))
};

// By the name in a config.json ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu",
// "silu", "swish", "tanh", "quick_gelu"); nothing when unknown.
std::optional<Activation> activation_named(std::string_view name);

void activate(Activation kind, float* x, std::int64_t count);

// Gated linear units (Shazeer 2020): x[i] = activation(x[i]) * up[i].
void activate_gated(Activation kind, float* x, const float* up, std::int64_t count);

// Backward, with the results of the forward made again on the way. gradient: of the loss by the
// activation's output.
// x becomes activation(x), gradient the gradient by x.
void activate_backward(Activation kind, float* x, float* gradient, std::int64_t count);
// gate and up become the gradients by them, gradient becomes activation(gate) * up.
void activate_gated_backward(Activation kind, float* gate, float* up, float* gradient,
                             std::int64_t count);

}  // namespace regard::kernels
