// SPDX-License-Identifier: Apache-2.0
// One token's attention as a worked calculation: the formula, then the numbers in it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "regard/platform/utf8.h"
#include "regard/render/labels.h"
#include "regard/render/lines.h"
#include "regard/render/paint.h"
#include "regard/render/terminal.h"

namespace regard {
namespace {

// "[0.123 -0.456 ... ] |x| 1.234": the first numbers and the Euclidean norm.
std::string vector_text(const std::vector<float>& values, std::size_t shown) {
  std::string out = "[";
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    squares += static_cast<double>(values[i]) * values[i];
    if (i < shown) out += fmt::format("{}{:.3f}", i > 0 ? " " : "", values[i]);
  }
  if (values.size() > shown) out += " …";
  return out + fmt::format("]  {} dims, norm {:.3f}", values.size(), std::sqrt(squares));
}

std::string token_label(const TokenSide& side, std::int64_t token) {
  return one_line(side.tokens.at(static_cast<std::size_t>(token)).text);
}

// How a logit is made in this head: every term and every mask that it has.
void add_score(std::string* out, const ScoreSpec& score, const HeadView& head,
               std::size_t columns) {
  const ScoreTerms& terms = head.terms;
  const auto line = [&](const std::string& text) { add_wrapped(out, "   " + text, columns); };
  std::string sum = "q.k";
  if (terms.query_relative != nullptr) sum += " + q.(relative position's key)";
  if (terms.key_relative != nullptr) sum += " + k.(relative position's query)";
  line(fmt::format("logit = scale * {}, scale {:.6g}", sum == "q.k" ? sum : "(" + sum + ")",
                   score.scale));
  if (score.cap > 0) line(fmt::format("then cap * tanh(logit / cap), cap {:.6g}", score.cap));
  if (terms.bias != nullptr) line("then + bias(key - query), a learned bias of the distance");
  if (score.alibi != Alibi::kNone && terms.slopes != nullptr) {
    line(score.alibi == Alibi::kDistance
             ? fmt::format("then - slope * |query - key| (ALiBi), slope {:.6g}", *terms.slopes)
             : fmt::format("then + scale * slope * (key - query) in bfloat16 (ALiBi), slope {:.6g}",
                           *terms.slopes));
  }
  if (score.causal) line("mask: only keys up to the query");
  if (score.prefix > 0) line(fmt::format("      and the first {} keys", score.prefix));
  if (score.window > 0) {
    line(fmt::format("mask: only keys less than {} tokens away", score.window));
  }
  if (score.chunk > 0) {
    line(fmt::format("mask: only keys of the same chunk of {} tokens", score.chunk));
  }
  if (terms.blocks != nullptr) line("mask: only some blocks of 64 x 64 tokens");
  if (head.key_valid != nullptr) line("mask: no padding");
  if (terms.sinks != nullptr) {
    line(
        fmt::format("sink logit {:.4f}: joins the sum below, so that weights add up to less than 1",
                    *terms.sinks));
  }
}

}  // namespace

std::string terminal_explanation(const Trace& trace, const Explanation& explanation,
                                 const TerminalStyle& style) {
  constexpr std::size_t kWithoutLimit = 100;
  const std::size_t columns = style.columns <= 0 ? kWithoutLimit : columns_of(style);
  const std::size_t shown = std::clamp<std::size_t>((columns - 30) / 8, 2, 8);
  const ScoreSpec& score = explanation.score;
  const auto title = [&](std::string_view text) {
    return emphasised(text, 1, style.colours) + "\n";
  };
  std::string out;
  add_wrapped(
      &out,
      fmt::format("{}, layer {}, head {} ({})", one_line(trace.model), explanation.head.layer,
                  explanation.head.head, to_string(explanation.head)),
      columns);
  for (const std::string& note : trace.notes) {
    add_wrapped(&out, "note: " + one_line(note), columns);
  }
  out += "query (attends from): " +
         isolated(token_label(trace, explanation.query_index), style.colours) + "\n";

  const Explanation::Step* strongest = nullptr;
  for (const Explanation::Step& step : explanation.steps) {
    if (!step.masked && (strongest == nullptr || step.weight > strongest->weight)) {
      strongest = &step;
    }
  }
  out += title("1. query vector q");
  out += "   " + vector_text(explanation.query, shown) + "\n";
  if (strongest != nullptr) {
    const std::string label =
        isolated(token_label(trace.columns(), strongest->token), style.colours);
    out += title("2. key vector k, product q*k and its sum q.k, for the strongest key");
    out += fmt::format("   {}\n   k   {}\n   q*k {}\n   q.k = {:.4f}\n", label,
                       vector_text(strongest->key, shown), vector_text(strongest->product, shown),
                       strongest->dot);
  }
  out += title("3. logit, mask, softmax");
  HeadView head;  // without arrays when the layer is not in the trace
  if (trace.layers.contains(explanation.head.layer)) head = trace.head(explanation.head);
  add_score(&out, score, head, columns);
  // Any number may be taken from all logits of a row; with the largest, no exp overflows.
  double largest = -std::numeric_limits<double>::infinity();
  for (const Explanation::Step& step : explanation.steps) {
    if (!step.masked) largest = std::max(largest, step.scaled);
  }
  if (std::isfinite(largest)) {
    out +=
        fmt::format("   max = the row's largest logit = {:.4f}, taken away before exp\n", largest);
  }

  std::size_t width = display_width("key (attended to)");
  for (const Explanation::Step& step : explanation.steps) {
    width = std::max(
        width, std::min<std::size_t>(display_width(token_label(trace.columns(), step.token)), 20));
  }
  out += title(fmt::format("   {} {:>10} {:>10} {:>14} {:>7}", pad_to("key (attended to)", width),
                           "q.k", "logit", "exp(logit-max)", "weight"));
  const std::size_t used = 3 + width + 46;
  const std::size_t bar_width = columns > used + 4 ? columns - used : 0;
  double exps = 0, sum = 0;
  for (const Explanation::Step& step : explanation.steps) {
    const std::string label = cut_to(token_label(trace.columns(), step.token), width);
    const std::string blanks(width - display_width(label), ' ');
    out += "   " + isolated(label, style.colours) + blanks;
    if (step.masked) {
      out += fmt::format(" {:>10.4f} {:>10} {:>14} {:>7.4f}\n", step.dot, "masked", "0", 0.0);
      continue;
    }
    exps += std::exp(step.scaled - largest);
    sum += step.weight;
    out += fmt::format(" {:>10.4f} {:>10.4f} {:>14.4g} {:>7.4f}", step.dot, step.scaled,
                       std::exp(step.scaled - largest), step.weight);
    const std::string drawn = bar(step.weight, bar_width, style.colours);
    out += drawn.empty() ? "\n" : " " + drawn + "\n";
  }
  out += fmt::format("   {} {:>10} {:>10} {:>14.4g} {:>7.4f}\n", pad_to("sum", width), "", "", exps,
                     sum);
  if (!std::isfinite(largest)) {
    out += "   every key is masked: all weights are 0\n";
  } else {
    out += fmt::format(
        "   weight = exp(logit-max) / {:.4g} = exp(logit - lse), lse = log of the sum of "
        "exp(logit) "
        "= {:.4f}\n",
        std::exp(explanation.lse - largest), explanation.lse);
  }
  if (!explanation.output.empty()) {
    out += title("4. output = sum of weight * value");
    if (strongest != nullptr && !strongest->value.empty()) {
      out += fmt::format("   value          {}\n   weight * value {}\n",
                         vector_text(strongest->value, shown),
                         vector_text(strongest->weighted, shown));
    }
    out += "   output         " + vector_text(explanation.output, shown) + "\n";
  }
  return out;
}

}  // namespace regard
