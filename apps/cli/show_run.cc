// SPDX-License-Identifier: Apache-2.0
// regard show --run: one text at every checkpoint of a training run, with loss and measures.
#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/command.h"
#include "regard/analysis/head_measures.h"
#include "regard/render/writer.h"
#include "regard/training/metrics.h"

namespace regard::cli {
namespace {

std::string name_of(HeadId id) { return fmt::format("L{}H{}", id.layer, id.head); }

// What the run wrote of a step; nothing of step 0, which was not taken.
const StepMetrics* metrics_at(const std::vector<StepMetrics>& all, std::int64_t step) {
  const auto found = std::lower_bound(
      all.begin(), all.end(), step,
      [](const StepMetrics& metrics, std::int64_t wanted) { return metrics.step < wanted; });
  return found != all.end() && found->step == step ? &*found : nullptr;
}

std::string title(std::int64_t step, const StepMetrics* metrics) {
  std::string line = fmt::format("step {}", step);
  if (metrics != nullptr) line += fmt::format("  loss {:.4f}", metrics->loss);
  if (metrics != nullptr && metrics->held_out)
    line += fmt::format("  held out {:.4f}", *metrics->held_out);
  return line;
}

std::vector<HeadId> shown_heads(const View& view) {
  std::vector<HeadId> heads;
  for (const HeadMap& map : view.heads)
    if (map.id) heads.push_back(*map.id);
  return heads;
}

std::string terminal_step(const View& view, const std::vector<HeadMeasures>& measures,
                          const RunShow& wanted, const TerminalStyle& style) {
  std::string out;
  for (const HeadMeasures& of : measures) {
    out += name_of(of.head) + ":";
    for (const MeasureName& measure : kMeasures)
      out += fmt::format("  {} {:.3f}", measure.name, of.*measure.value);
    out += "\n";
  }
  if (view.row) return out + terminal_row(view, *view.row, style);
  return out + (wanted.all_heads ? terminal_heads(view, style) : terminal_grid(view, style));
}

// {"step", ["loss"], ["held_out_loss"], "measures": [{"head", "entropy", ..}], "view"}
void write_step(const View& view, const std::vector<HeadMeasures>& measures, std::int64_t step,
                const StepMetrics* metrics, const Sink& sink) {
  Writer out(sink);
  out.text(fmt::format("{{\"step\": {}", step));
  if (metrics != nullptr) out.text(fmt::format(", \"loss\": {}", metrics->loss));
  if (metrics != nullptr && metrics->held_out)
    out.text(fmt::format(", \"held_out_loss\": {}", *metrics->held_out));
  out.text(", \"measures\": ");
  out.list(measures, [&](const HeadMeasures& of) {
    out.text(fmt::format("{{\"head\": \"{}\"", name_of(of.head)));
    for (const MeasureName& measure : kMeasures) {
      out.text(fmt::format(", \"{}\": ", measure.name));
      out.number(of.*measure.value);
    }
    out.text("}");
  });
  out.text(", \"view\": ");
  out.flush();
  write_json(view, sink);
  sink("}");
}

}  // namespace

void show_run(Context& context, const RunShow& wanted) {
  Session& session = context.session();
  const std::vector<StepMetrics> metrics = read_metrics(wanted.folder);
  const std::vector<KeptStep> steps = checkpoints_of(wanted.folder);
  ViewRequest request = wanted.view;
  RunRequest text = wanted.text;
  const auto trace_of = [&](const KeptStep& kept) {
    text.model = kept.folder;
    return session.run(text);
  };
  // A head that nobody named is chosen where training has come to, and is the same at every step.
  if (request.heads.empty() && !request.mean && !request.all_heads) {
    const Trace last = trace_of(steps.back());
    const HeadMap chosen = session.view(last, request).heads.front();
    say(fmt::format("{} at step {}: {}", name_of(*chosen.id), steps.back().step, chosen.why));
    request.heads = {*chosen.id};
    request.layer.reset();
    request.head.reset();
  }
  const TerminalStyle style = [&] {
    TerminalStyle made = terminal_style(context, wanted.output);
    made.scale = wanted.scale;
    return made;
  }();
  const bool json = wanted.format == Format::kJson;
  write_output(wanted.output, wanted.format, [&](const Sink& sink) {
    if (json)
      sink(fmt::format("{{\"format\": {}, \"run\": {}, \"checkpoints\": [", kJsonFormat,
                       json_quoted(wanted.folder)));
    for (const KeptStep& kept : steps) {
      const Trace trace = trace_of(kept);
      const View view = session.view(trace, request);
      const std::vector<HeadMeasures> measures = measure_heads(trace, shown_heads(view));
      const StepMetrics* const own = metrics_at(metrics, kept.step);
      const bool first = &kept == &steps.front();
      if (json) {
        if (!first) sink(",\n");
        write_step(view, measures, kept.step, own, sink);
      } else {
        sink((first ? "" : "\n") + title(kept.step, own) + "\n" +
             terminal_step(view, measures, wanted, style));
      }
    }
    if (json) sink("]}\n");
  });
}

}  // namespace regard::cli
