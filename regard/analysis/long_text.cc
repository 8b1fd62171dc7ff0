// SPDX-License-Identifier: Apache-2.0
// Pooled, partial and streamed maps of long texts.
#include "regard/analysis/long_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "regard/analysis/unit_rows.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

Region whole(const AttentionMap& map) { return {0, map.rows(), 0, map.columns()}; }

HeadMap named(const std::vector<HeadId>& ids, std::int64_t rows, std::int64_t columns) {
  HeadMap map;
  if (ids.size() == 1)
    map.id = ids.front();
  else
    map.of = ids;
  map.rows = rows;
  map.columns = columns;
  return map;
}

// Rows of the mean of the heads at the level of units: [rows, column units].
std::vector<float> mean_rows(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units,
                             const std::vector<std::int64_t>& rows) {
  if (ids.empty()) throw Error("heads: expected at least one, found none", Error::Kind::kUsage);
  if (ids.size() == 1) return unit_rows(trace.map(ids.front()), units, rows);
  std::vector<double> sum(rows.size() * units.columns.size(), 0.0);
  for (const HeadId id : ids) {
    const std::vector<float> one = unit_rows(trace.map(id), units, rows);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(one[i]);
  }
  std::vector<float> mean(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    mean[i] = static_cast<float>(sum[i] / static_cast<double>(ids.size()));
  return mean;
}

// Keeps of a row the fewest weights that hold the share, and makes the others 0.
void keep_share(double share, std::span<float> row) {
  const std::vector<WeightedKey> kept = fewest_holding(row, share);
  std::fill(row.begin(), row.end(), 0.0f);
  for (const WeightedKey& key : kept) row[static_cast<std::size_t>(key.key)] = key.weight;
}

}  // namespace

bool too_large_to_hold(std::size_t rows, std::size_t columns, std::size_t heads) {
  constexpr std::size_t kOne = std::size_t{1} << 24, kAll = std::size_t{1} << 28;
  return rows > kOne / std::max<std::size_t>(1, columns) ||
         rows * columns > kAll / std::max<std::size_t>(1, heads);
}

std::vector<Unit> runs_of_tokens(const TokenSide& side, std::int64_t size) {
  const auto n = static_cast<std::int64_t>(side.tokens.size());
  const std::int64_t count = std::min(size, n);
  std::vector<Unit> units;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = i * (n / count), end = i + 1 == count ? n : (i + 1) * (n / count);
    const Token& first = side.tokens[static_cast<std::size_t>(begin)];
    const Token& last = side.tokens[static_cast<std::size_t>(end - 1)];
    Unit unit;
    unit.text = fmt::format("{}-{} {}", begin, end - 1, first.text);
    unit.span = {first.span.start, std::max(first.span.start, last.span.end)};
    unit.sequence = first.sequence;
    unit.tokens.resize(static_cast<std::size_t>(end - begin));
    std::iota(unit.tokens.begin(), unit.tokens.end(), begin);
    units.push_back(std::move(unit));
  }
  return units;
}

HeadMap pooled_map(const Trace& trace, HeadId id, std::int64_t size) {
  const AttentionMap map = trace.map(id);
  AttentionMap::Tile tile = map.tile(whole(map), size, Pool::kMax);
  HeadMap pooled = named({id}, tile.rows, tile.columns);
  pooled.weights = std::move(tile.cells);
  return pooled;
}

HeadMap pooled_mean(const Trace& trace, const std::vector<HeadId>& ids, std::int64_t size) {
  HeadMap pooled;
  std::vector<double> sum;
  for (const HeadId id : ids) {
    const AttentionMap map = trace.map(id);
    const AttentionMap::Tile tile = map.tile(whole(map), size, Pool::kMean);
    sum.resize(tile.cells.size(), 0.0);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(tile.cells[i]);
    pooled.rows = tile.rows;
    pooled.columns = tile.columns;
  }
  pooled.of = ids;
  for (const double value : sum)
    pooled.weights.push_back(static_cast<float>(value / static_cast<double>(ids.size())));
  return pooled;
}

namespace {

std::vector<std::int64_t> indices(const std::vector<bool>& keep) {
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) kept.push_back(static_cast<std::int64_t>(i));
  return kept;
}

}  // namespace

HeadMap partial_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units,
                    const Kept& keep) {
  const std::vector<std::int64_t> kept = indices(keep.rows), columns = indices(keep.columns);
  const std::vector<float> rows = mean_rows(trace, ids, units, kept);
  HeadMap map =
      named(ids, static_cast<std::int64_t>(kept.size()), static_cast<std::int64_t>(columns.size()));
  for (std::size_t r = 0; r < kept.size(); ++r)
    for (const std::int64_t column : columns)
      map.weights.push_back(rows[r * units.columns.size() + static_cast<std::size_t>(column)]);
  return map;
}

std::vector<std::int64_t> most_attended(const Trace& trace, const std::vector<HeadId>& ids,
                                        const Axes& units, std::int64_t row, std::size_t count,
                                        double* held) {
  const std::vector<float> weights = mean_rows(trace, ids, units, {row});
  const AttentionMap map(weights.data(), 1, static_cast<std::int64_t>(units.columns.size()));
  std::vector<std::int64_t> chosen;
  double sum = 0, all = 0;
  for (const WeightedKey& key : map.top(0, count)) {
    chosen.push_back(key.key);
    sum += static_cast<double>(key.weight);
  }
  for (const float weight : weights) all += static_cast<double>(weight);
  *held = all > 0 ? sum / all : 0;
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

HeadMap streamed_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units,
                     const Kept& keep, std::optional<double> mass) {
  if (mass && !(*mass > 0 && *mass <= 1))
    throw Error(fmt::format("keep-mass: expected a share above 0 and up to 1, found {}", *mass),
                Error::Kind::kUsage);
  // The reader outlives this call, and the caller's units may be cut meanwhile.
  struct State {
    const Trace* trace;
    std::vector<HeadId> ids;
    std::vector<Unit> units, columns;
    std::vector<std::int64_t> rows, kept;
  };
  auto state = std::make_shared<State>(
      State{&trace, ids, units.rows, units.columns, indices(keep.rows), indices(keep.columns)});
  HeadMap map = named(ids, static_cast<std::int64_t>(state->rows.size()),
                      static_cast<std::int64_t>(state->kept.size()));
  map.read = [state, mass](std::int64_t begin, std::int64_t end, float* out) {
    const std::vector<std::int64_t> rows(state->rows.begin() + begin, state->rows.begin() + end);
    const std::vector<float> all =
        mean_rows(*state->trace, state->ids, {state->units, state->columns}, rows);
    const std::size_t width = state->columns.size();
    float* to = out;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (const std::int64_t column : state->kept)
        *to++ = all[r * width + static_cast<std::size_t>(column)];
      if (mass) keep_share(*mass, {to - state->kept.size(), state->kept.size()});
    }
  };
  return map;
}

}  // namespace regard
