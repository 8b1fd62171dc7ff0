// SPDX-License-Identifier: Apache-2.0
// regard tile: a part of one head's map out of a trace, pooled, as float32 .npy [row, column].
#include <charconv>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/attention/attention_map.h"
#include "regard/platform/error.h"

namespace regard::cli {
namespace {

struct Options {
  std::string trace, output, format, head, rows, columns, pool = "mean";
  std::int64_t size = 512;
};

Error usage(const std::string& message) { return Error(message, Error::Kind::kUsage); }

// "a:b", either side may be missing.
void read_range(const char* option, const std::string& text, std::int64_t count,
                std::int64_t* begin, std::int64_t* end) {
  *begin = 0;
  *end = count;
  if (text.empty()) return;
  const std::size_t colon = text.find(':');
  const auto side = [&](std::string_view digits, std::int64_t* value) {
    if (digits.empty()) return true;
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), *value);
    return error == std::errc() && stop == digits.data() + digits.size();
  };
  const std::string_view view = text;
  if (colon == std::string::npos || !side(view.substr(0, colon), begin) ||
      !side(view.substr(colon + 1), end) || *begin < 0 || *end <= *begin || *end > count)
    throw usage(fmt::format("{}: expected a range first:end within 0:{}, found \"{}\"", option,
                            count, text));
}

HeadId chosen_head(const Trace& trace, const std::string& name) {
  const std::vector<HeadId> heads = trace.heads();
  if (name.empty()) {
    if (heads.size() == 1) return heads.front();
    throw usage(fmt::format("--head: expected one of the trace's {} heads, such as {}",
                            heads.size(), heads.empty() ? "L0H0" : to_string(heads.front())));
  }
  const auto id = head_named(name);
  if (!id) throw usage(fmt::format("--head: expected a name like L3H1, found \"{}\"", name));
  return *id;
}

void tile(Context& context, const Options& options) {
  output_format(options.format, options.output, {Format::kNpy});
  const Pool pool = pool_named(options.pool);
  if (options.size < 1 || options.size > 32768)
    throw usage(fmt::format("--size: expected 1 to 32768, found {}", options.size));
  const Trace trace = context.session().open_trace(options.trace);
  context.timing.mark("open the trace");
  const AttentionMap map = trace.map(chosen_head(trace, options.head));
  Region region{};
  read_range("--rows", options.rows, map.rows(), &region.row_begin, &region.row_end);
  read_range("--cols", options.columns, map.columns(), &region.column_begin, &region.column_end);
  const AttentionMap::Tile cells = map.tile(region, options.size, pool);
  context.timing.mark("tile");
  write_output(options.output, Format::kNpy, [&](const Sink& sink) {
    const Shape shape = {cells.rows, cells.columns};
    sink(npy_header(shape));
    sink({reinterpret_cast<const char*>(cells.cells.data()), cells.cells.size() * sizeof(float)});
  });
  context.timing.mark("write");
}

}  // namespace

void add_tile(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(app, context, "tile", "A part of one head's map out of a trace, pooled",
                            "regard tile /tmp/t.safetensors --head L2H3 --size 4 --pool max -o "
                            "/tmp/tile.npy   (after the example of record)");
  auto options = std::make_shared<Options>();
  verb->add_option("TRACE", options->trace, "A trace file, from `regard record`")->required();
  verb->add_option("--head", options->head, "L3H1");
  verb->add_option("--rows", options->rows, "Queries first:end; all of them unless given");
  verb->add_option("--cols", options->columns, "Keys first:end; all of them unless given");
  verb->add_option("--size", options->size,
                   "Cells along an edge; fewer where the region has fewer");
  verb->add_option("--pool", options->pool, "mean, max or sum of the weights in a cell");
  verb->add_option("-o,--output", options->output, "File to write: .npy");
  verb->add_option("--format", options->format, "npy, to standard output");
  verb->callback(
      [&context, options] { context.run = [&context, options] { tile(context, *options); }; });
}

}  // namespace regard::cli
