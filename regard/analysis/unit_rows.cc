// SPDX-License-Identifier: Apache-2.0
// Token rows to unit rows, a band of token rows at a time (Clark et al. 2019, section 4.1).
#include "regard/analysis/unit_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/threads.h"

namespace regard {
namespace {

// Rows of units [first, last) of the wanted ones and the tokens [begin, end) that they span.
struct Band {
  std::size_t first, last;
  std::int64_t begin, end;
};

std::vector<Band> bands_of(const std::vector<Unit>& units, const std::vector<std::int64_t>& rows) {
  std::vector<Band> bands;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::vector<std::int64_t>& tokens = units[static_cast<std::size_t>(rows[r])].tokens;
    if (tokens.empty()) throw Error("unit: expected at least one token, found none");
    const Band own{r, r + 1, tokens.front(), tokens.back() + 1};
    if (!bands.empty()) {
      Band& band = bands.back();
      const std::int64_t begin = std::min(band.begin, own.begin);
      const std::int64_t end = std::max(band.end, own.end);
      if (end - begin <= kQueryBlock) {
        band = {band.first, r + 1, begin, end};
        continue;
      }
    }
    bands.push_back(own);
  }
  return bands;
}

}  // namespace

std::vector<float> unit_rows(const AttentionMap& map, const Axes& units,
                             const std::vector<std::int64_t>& rows, const CancelToken* cancel,
                             std::vector<float> room) {
  const std::size_t width = units.columns.size();
  const std::int64_t columns = map.columns();
  const auto place = [&](const Unit& unit, std::int64_t number, std::vector<std::int64_t>* of) {
    for (const std::int64_t token : unit.tokens) {
      if (token < 0 || token >= static_cast<std::int64_t>(of->size()))
        throw Error(fmt::format("unit {}: expected tokens within a map of {} x {}, found {}",
                                unit.text, map.rows(), columns, token));
      (*of)[static_cast<std::size_t>(token)] = number;
    }
  };
  // Tokens of no unit are summed beside the columns.
  std::vector<std::int64_t> column_of(static_cast<std::size_t>(columns),
                                      static_cast<std::int64_t>(width));
  for (std::size_t u = 0; u < width; ++u)
    place(units.columns[u], static_cast<std::int64_t>(u), &column_of);
  std::vector<std::int64_t> row_of(static_cast<std::size_t>(map.rows()), -1);
  for (std::size_t r = 0; r < rows.size(); ++r)
    place(units.rows[static_cast<std::size_t>(rows[r])], static_cast<std::int64_t>(r), &row_of);

  // Where units are single tokens in order, rows are the map's own.
  bool single = static_cast<std::int64_t>(width) == columns;
  for (std::size_t k = 0; single && k < width; ++k)
    single = column_of[k] == static_cast<std::int64_t>(k);
  for (std::size_t r = 0; single && r < rows.size(); ++r)
    single = units.rows[static_cast<std::size_t>(rows[r])].tokens.size() == 1;

  std::vector<float> out = std::move(room);
  out.assign(rows.size() * width, 0.0f);
  const std::vector<Band> bands = bands_of(units.rows, rows);
  parallel_for(
      static_cast<std::int64_t>(bands.size()),
      [&](std::int64_t task) {
        const Band& band = bands[static_cast<std::size_t>(task)];
        std::vector<double> sums(single ? 0 : (band.last - band.first) * (width + 1), 0.0);
        const std::int64_t held = std::min(kQueryBlock, band.end - band.begin);
        const auto tokens =
            std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(held * columns));
        for (std::int64_t begin = band.begin; begin < band.end; begin += held) {
          const std::int64_t end = std::min(band.end, begin + held);
          map.read_rows(begin, end, tokens.get());
          const ScoreSpec::Range seen = map.seen(begin, end);
          for (std::int64_t token = begin; token < end; ++token) {
            const std::int64_t row = row_of[static_cast<std::size_t>(token)];
            if (row < static_cast<std::int64_t>(band.first) ||
                row >= static_cast<std::int64_t>(band.last))
              continue;
            const float* weights = tokens.get() + (token - begin) * columns;
            if (single) {
              std::copy(weights + seen.begin, weights + seen.end,
                        out.data() + row * columns + seen.begin);
              continue;
            }
            double* sum = sums.data() + (static_cast<std::size_t>(row) - band.first) * (width + 1);
            for (std::int64_t k = seen.begin; k < seen.end; ++k)
              sum[column_of[static_cast<std::size_t>(k)]] += static_cast<double>(weights[k]);
          }
        }
        for (std::size_t r = band.first; !single && r < band.last; ++r) {
          const double pieces =
              static_cast<double>(units.rows[static_cast<std::size_t>(rows[r])].tokens.size());
          const double* sum = sums.data() + (r - band.first) * (width + 1);
          for (std::size_t u = 0; u < width; ++u)
            out[r * width + u] = static_cast<float>(sum[u] / pieces);
        }
      },
      cancel);
  return out;
}

}  // namespace regard
