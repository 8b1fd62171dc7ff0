// SPDX-License-Identifier: Apache-2.0
// What the golden tests share: reading expected values, recording a forward pass, comparing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <locale>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/model/model.h"
#include "regard/model/observer.h"
#include "regard/platform/cpu.h"
#include "regard/trace/trace.h"

namespace regard {

namespace fs = std::filesystem;

inline const fs::path kGolden = fs::path(REGARD_SOURCE_DIR) / "tests" / "golden";

inline double number(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  std::istringstream in(found == file.metadata().end() ? "" : found->second);
  in.imbue(std::locale::classic());
  double value = std::numeric_limits<double>::quiet_NaN();
  in >> value;
  EXPECT_GT(value, 0) << file.path() << " lacks " << key;
  return value;
}

inline std::vector<std::int64_t> integers(const SafetensorsFile& file, const std::string& name) {
  const TensorView view = file.at(name, DType::kI64, std::vector<std::int64_t>{-1});
  std::vector<std::int64_t> out(static_cast<std::size_t>(view.size()));
  std::copy_n(view.data, out.size() * sizeof(std::int64_t),
              reinterpret_cast<std::byte*>(out.data()));
  return out;
}

inline std::vector<float> floats(const SafetensorsFile& file, const std::string& name,
                                 const std::vector<std::int64_t>& shape) {
  const TensorView view = file.at(name, DType::kF32, shape);
  std::vector<float> out(static_cast<std::size_t>(view.size()));
  convert_to_f32(view, out);
  return out;
}

// Largest distance; infinite when a value is no number or the lengths differ.
inline double distance(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - b[i]);
    if (std::isnan(d)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, d);
  }
  return worst;
}

// Records every head, and keeps the embeddings and each layer's output.
class Watcher : public Recorder {
 public:
  explicit Watcher(Trace* trace) : Recorder(trace) {}
  void at(Point point, int, MutableView view) override {
    if (point != Point::kEmbedding && point != Point::kHidden) return;
    hidden.insert(hidden.end(), view.data, view.data + element_count(view.shape));
  }
  std::vector<float> hidden;  // [layer + 1, token, width]
};

// All cells of all heads, [layer, head, query, key].
inline std::vector<float> cells(const Trace& trace) {
  std::vector<float> out;
  for (const HeadId id : trace.heads()) {
    const AttentionMap map = trace.map(id);
    for (std::int64_t q = 0; q < map.rows(); ++q) {
      for (std::int64_t k = 0; k < map.columns(); ++k) out.push_back(map.cell(q, k));
    }
  }
  return out;
}

struct OnInstructionSet {
  explicit OnInstructionSet(const std::string& name) { force_instruction_set(name); }
  ~OnInstructionSet() { force_instruction_set(""); }
};

// Folders in tests/golden/<family>, sorted.
inline std::vector<std::string> cases_of(const std::string& family) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGolden / family))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace regard
