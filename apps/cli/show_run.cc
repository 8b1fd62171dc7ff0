// SPDX-License-Identifier: Apache-2.0
// regard show --run: one text at every checkpoint of a training run, with loss and measures.
#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/show_run.h"
#include "regard/analysis/head_measures.h"
#include "regard/render/strip.h"
#include "regard/render/writer.h"
#include "regard/session/checkpoints.h"
#include "regard/session/page.h"
#include "regard/trace/trace.h"

namespace regard::cli {
namespace {

// Bytes of traces that a page may hold, and frames of a strip.
constexpr std::uint64_t kMostPageBytes = 32 << 20;
constexpr std::size_t kMostFrames = 24;

std::string name_of(HeadId id) { return fmt::format("L{}H{}", id.layer, id.head); }

std::string losses_of(const RunCheckpoint& checkpoint) {
  std::string line;
  if (checkpoint.loss) line += fmt::format("loss {:.4f}", *checkpoint.loss);
  if (checkpoint.held_out) line += fmt::format("  held out {:.4f}", *checkpoint.held_out);
  return line;
}

// At most `most` of them, evenly apart, first and last among them; says what is left out.
std::vector<RunCheckpoint> spread(std::vector<RunCheckpoint> all, std::size_t most) {
  most = std::max<std::size_t>(most, 2);
  if (all.size() <= most) return all;
  say(fmt::format("{} of {} checkpoints are shown", most, all.size()));
  std::vector<RunCheckpoint> some;
  for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * (all.size() - 1) / (most - 1)]);
  return some;
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
void write_step(const View& view, const std::vector<HeadMeasures>& measures,
                const RunCheckpoint& checkpoint, const Sink& sink) {
  Writer out(sink);
  out.text(fmt::format("{{\"step\": {}", checkpoint.step));
  if (checkpoint.loss) out.text(fmt::format(", \"loss\": {}", *checkpoint.loss));
  if (checkpoint.held_out) out.text(fmt::format(", \"held_out_loss\": {}", *checkpoint.held_out));
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

// The text at a checkpoint.
Trace trace_of(Session& session, const RunShow& wanted, const RunCheckpoint& checkpoint) {
  RunRequest text = wanted.text;
  text.model = checkpoint.folder;
  return session.run(text);
}

// What to show: a head that nobody named is chosen where training has come to, and is the same at
// every step.
ViewRequest request_of(Session& session, const RunShow& wanted, const RunCheckpoint& last) {
  ViewRequest request = wanted.view;
  if (!request.heads.empty() || request.mean || request.all_heads) return request;
  const HeadMap chosen = session.view(trace_of(session, wanted, last), request).heads.front();
  if (!chosen.id) return request;
  say(fmt::format("{} at step {}: {}", name_of(*chosen.id), last.step, chosen.why));
  request.heads = {*chosen.id};
  request.layer.reset();
  request.head.reset();
  return request;
}

}  // namespace

void write_run_page(Context& context, const RunShow& wanted) {
  Session& session = context.session();
  std::vector<RunCheckpoint> steps = run_checkpoints(wanted.folder);
  // The last one first: with it the page opens.
  std::vector<Trace> traces;
  traces.push_back(trace_of(session, wanted, steps.back()));
  const std::uint64_t each = trace_file_size(traces.front());
  steps = spread(std::move(steps), kMostPageBytes / std::max<std::uint64_t>(1, each));
  for (std::size_t i = steps.size() - 1; i-- > 0;)
    traces.push_back(trace_of(session, wanted, steps[i]));
  say(fmt::format(
      "html: about {:.1f} megabytes",
      1e-6 * (4.0 / 3 * static_cast<double>(each) * static_cast<double>(steps.size()) + 4e5)));
  std::vector<PageRun> runs;
  for (std::size_t i = 0; i < steps.size(); ++i)
    runs.push_back({.trace = &traces[i], .checkpoint = steps[steps.size() - 1 - i]});
  write_output(wanted.output, Format::kHtml,
               [&](const Sink& sink) { write_page(session, runs, {}, sink); });
}

void draw_run(Context& context, const RunShow& wanted, PictureFormat format,
              const PictureStyle& style) {
  Session& session = context.session();
  const std::vector<RunCheckpoint> steps = spread(run_checkpoints(wanted.folder), kMostFrames);
  const ViewRequest request = request_of(session, wanted, steps.back());
  std::vector<StripFrame> frames;
  for (const RunCheckpoint& checkpoint : steps) {
    View view = session.view(trace_of(session, wanted, checkpoint), request);
    view.model = wanted.folder;
    frames.push_back(
        {fmt::format("step {}", checkpoint.step), losses_of(checkpoint), std::move(view)});
  }
  write_output(wanted.output, wanted.format,
               [&](const Sink& sink) { sink(draw(frames, format, style)); });
}

void show_run(Context& context, const RunShow& wanted) {
  Session& session = context.session();
  const std::vector<RunCheckpoint> steps = run_checkpoints(wanted.folder);
  const ViewRequest request = request_of(session, wanted, steps.back());
  TerminalStyle style = terminal_style(context, wanted.output);
  style.scale = wanted.scale;
  style.top = wanted.top;
  const bool json = wanted.format == Format::kJson;
  write_output(wanted.output, wanted.format, [&](const Sink& sink) {
    if (json)
      sink(fmt::format("{{\"format\": {}, \"run\": {}, \"checkpoints\": [", kJsonFormat,
                       json_quoted(wanted.folder)));
    for (const RunCheckpoint& checkpoint : steps) {
      const Trace trace = trace_of(session, wanted, checkpoint);
      const View view = session.view(trace, request);
      const bool first = &checkpoint == &steps.front();
      if (json) {
        if (!first) sink(",\n");
        write_step(view, measure_heads(trace, trace.heads()), checkpoint, sink);
      } else {
        const std::string losses = losses_of(checkpoint);
        sink(fmt::format("{}step {}{}{}\n", first ? "" : "\n", checkpoint.step,
                         losses.empty() ? "" : "  ", losses) +
             terminal_step(view, measure_heads(trace, shown_heads(view)), wanted, style));
      }
    }
    if (json) sink("]}\n");
  });
}

}  // namespace regard::cli
