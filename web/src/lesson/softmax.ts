// SPDX-License-Identifier: Apache-2.0
// A row of attention after something in its scores has been changed.
import type { Explanation } from "../data/types";

// Weights after the dot products and the scale have changed; what the score adds besides (a bias)
// and what goes to no token at all (a sink logit) stay as they are. With no change, the real ones.
export function reweighted(e: Explanation, dots: number[], scale: number): number[] {
  const cap = e.score.cap;
  const capped = (x: number) => (cap > 0 ? cap * Math.tanh(x / cap) : x);
  const logits = e.steps.map((s, i) =>
    s.masked ? -Infinity : capped(scale * dots[i]!) + (s.logit - capped(e.score.scale * s.dot)),
  );
  const given = e.steps.reduce((sum, s) => sum + s.weight, 0);
  const sink = Math.log(Math.max(1 - given, 0)) + e.lse; // -inf without a sink logit
  const most = Math.max(...logits, given < 1 - 1e-6 ? sink : -Infinity);
  const parts = logits.map((x) => Math.exp(x - most));
  const sum = parts.reduce((a, b) => a + b, 0) + (given < 1 - 1e-6 ? Math.exp(sink - most) : 0);
  return parts.map((x) => (sum > 0 ? x / sum : 0));
}
