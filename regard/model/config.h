// SPDX-License-Identifier: Apache-2.0
// A configuration that remembers which of its keys were asked for, so that what no table reads can
// be told: a key that may change a score is an error, the rest are notes.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "regard/kernels/activation.h"
#include "regard/model/model_spec.h"
#include "regard/platform/json.h"

namespace regard {

inline constexpr std::int64_t kMaximalVocabulary = 1 << 24;
inline constexpr std::int64_t kMaximalWidth = 1 << 20;
inline constexpr std::int64_t kMaximalLayers = 4096;
inline constexpr std::int64_t kMaximalPositions = std::int64_t{1} << 32;

// True when a key's name speaks of something that could change a score.
bool may_change_scores(std::string_view key);

// Thread safety: one caller at a time.
class Config {
 public:
  explicit Config(Json root) : root_(root) {}

  // The member and that it was read; nothing when it is absent or null.
  std::optional<Json> find(std::string_view key);
  bool has(std::string_view key) { return find(key).has_value(); }
  // Keys that were seen and change nothing here.
  void harmless(std::initializer_list<std::string_view> keys);

  // A size of 1 to `limit`; the fallback where the key is absent, which is an error without one
  // and where the limit is less.
  std::int64_t size(std::string_view key, std::int64_t limit,
                    std::optional<std::int64_t> fallback = std::nullopt);
  bool flag(std::string_view key, bool fallback);
  // A finite number.
  float number(std::string_view key, std::optional<double> fallback = std::nullopt);
  // 0 <= value < 1.
  float epsilon(std::string_view key, std::optional<double> fallback = std::nullopt);
  kernels::Activation activation(std::string_view key, std::string_view fallback = "");
  std::string text(std::string_view key, std::string_view fallback);
  // Token ids under a key that holds one or a list; none when absent.
  std::vector<std::int64_t> ids(std::string_view key);
  // The key must be absent, null or have this value.
  void demand(std::string_view key, bool value);
  void demand_number(std::string_view key, double value);
  // One of `known` per layer, or empty when the key is absent.
  std::vector<std::string> per_layer(std::string_view key, std::int64_t layers,
                                     const std::vector<std::string_view>& known);

  const Json& root() const { return root_; }
  // Throws Error for an unread key that may change a score; notes for the others.
  std::vector<std::string> unread_notes(std::string_view architecture) const;

 private:
  Json root_;
  std::set<std::string, std::less<>> read_;
};

// What a rotary table starts from where the configuration is silent.
struct RotaryDefaults {
  std::int64_t head_dim = 0;
  double theta = 10000, partial = 1;
  std::int64_t max_positions = 0;
  // Phi-3's original length where the configuration itself is silent, whatever the rope object
  // says.
  std::int64_t original = 0;
  bool neighbours = false;
  // What the keys of transformers 4 were called, and whether rope_scaling was this layer's too.
  std::string_view theta_key = "rope_theta", partial_key = "partial_rotary_factor";
  bool scaling = true;
  bool yarn_is_longrope = false;  // Phi-3's word for it
};

// Reads rope_parameters, or rope_theta with rope_scaling, in either dialect of transformers.
// layer_type: the member of rope_parameters that holds this layer's ("sliding_attention"), where
// they are nested. Throws Error naming an unknown rope type or member.
RotarySpec read_rotary(Config* config, const RotaryDefaults& defaults,
                       std::string_view layer_type = "full_attention");

}  // namespace regard
