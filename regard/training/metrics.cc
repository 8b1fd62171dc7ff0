// SPDX-License-Identifier: Apache-2.0
// A line a step.
#include "regard/training/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "regard/platform/error.h"
#include "regard/platform/json.h"

namespace regard {

std::string metrics_line(const StepMetrics& m) {
  return fmt::format(
      "{{\"step\": {}, \"loss\": {}, \"rate\": {}, \"gradient_norm\": {}, \"tokens\": {}, "
      "\"tokens_per_second\": {:.1f}{}}}\n",
      m.step, m.loss, m.rate, m.norm, m.tokens, m.tokens_per_second,
      m.held_out ? fmt::format(", \"held_out_loss\": {}", *m.held_out) : "");
}

std::vector<StepMetrics> read_metrics(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "metrics.jsonl").string();
  std::vector<StepMetrics> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const JsonDocument json =
        JsonDocument::parse(line, fmt::format("{}: line {}", path, all.size() + 1));
    const Json root = json.root();
    StepMetrics& m = all.emplace_back();
    m.step = root.at("step").integer();
    m.loss = root.at("loss").number();
    m.rate = root.at("rate").number();
    m.norm = root.at("gradient_norm").number();
    m.tokens = root.at("tokens").integer();
    m.tokens_per_second = root.at("tokens_per_second").number();
    if (const auto held_out = root.find("held_out_loss")) m.held_out = held_out->number();
  }
  return all;
}

std::vector<KeptStep> checkpoints_of(const std::string& run) {
  constexpr std::string_view kPrefix = "step-";
  std::vector<KeptStep> all;
  const std::filesystem::path folder = std::filesystem::path(run) / "checkpoints";
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder, absent)) {
    const std::string name = entry.path().filename().string();
    KeptStep kept{0, entry.path().string()};
    const char* const end = name.data() + name.size();
    if (name.starts_with(kPrefix) &&
        std::from_chars(name.data() + kPrefix.size(), end, kept.step).ptr == end)
      all.push_back(std::move(kept));
  }
  if (all.empty())
    throw Error::at(run, "checkpoints", "the checkpoints of a run of `regard train`", "none");
  std::sort(all.begin(), all.end(),
            [](const KeptStep& a, const KeptStep& b) { return a.step < b.step; });
  return all;
}

}  // namespace regard
