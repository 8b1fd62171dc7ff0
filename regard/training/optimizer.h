// SPDX-License-Identifier: Apache-2.0
// AdamW (Loshchilov & Hutter 2019), clipping by the gradient's norm, and the learning rate's way.
#pragma once

#include <cstdint>

#include "regard/tensor/tensor.h"
#include "regard/training/trainable.h"

namespace regard {

// Thread safety: plain values.
struct OptimizerOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double decay = 0.01;     // decoupled: the weight shrinks by rate * decay a step
  bool decay_all = false;  // biases, gains too
  double clip = 1.0;       // the gradient's largest norm; 0: any
};

enum class Curve { kCosine, kLinear };

struct ScheduleOptions {
  double rate = 1e-3;
  std::int64_t warm_up = 0;  // steps in which the rate rises from 0
  std::int64_t steps = 1;
  double hold = 1;  // share of the steps before the rate falls; 1: it never does
  double last = 0;  // what is left of the rate at the end
  Curve curve = Curve::kCosine;
};

// The learning rate of step 1, 2, ..
double rate_at(const ScheduleOptions& schedule, std::int64_t step);

// Thread safety: one caller at a time.
class AdamW {
 public:
  AdamW(Trainable* model, const OptimizerOptions& options);

  // One step with the model's gradients, which become 0. Returns their norm before clipping, whose
  // sum is taken in one order whatever the number of threads. Throws Error naming the parameter
  // when a gradient is no number; the model is as it was.
  double step(double rate);

  std::int64_t steps() const { return steps_; }
  // The state, to be kept and put back: moments in the layout of the model's values.
  Tensor& first() { return first_; }
  Tensor& second() { return second_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  Trainable& model_;
  OptimizerOptions options_;
  Tensor first_, second_;
  std::int64_t steps_ = 0;
};

}  // namespace regard
