// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies and what stretches them: linear, dynamic NTK, llama3, YaRN (Peng et al. 2023),
// LongRoPE (Ding et al. 2024). Source: transformers 5.23, modeling_rope_utils.py, whose fp32
// arithmetic is followed, since the models were trained with it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "regard/model/config.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::string_view kTypes = "default, linear, dynamic, llama3, yarn, longrope or su";

// Members of the rope objects `names`, of a nested one where they are, then those beside them.
class RopeReader {
 public:
  RopeReader(Config* config, std::string_view layer_type,
             std::initializer_list<std::string_view> names, std::int64_t original)
      : config_(config), original_(original) {
    for (const std::string_view name : names) {
      std::optional<Json> found = config->find(name);
      if (!found) continue;
      if (const auto nested = found->find(layer_type); nested && nested->is_object()) {
        found = nested;
      } else if (found->find("full_attention") || found->find("sliding_attention")) {
        continue;  // nested, and this layer's is not said
      }
      objects_.push_back(*found);
    }
  }

  std::optional<Json> find(std::string_view key) {
    read_.emplace(key);
    for (const Json& object : objects_)
      if (const auto value = object.find(key); value && !value->is_null()) return value;
    return std::nullopt;
  }
  // `beside`: the key of the configuration that says it where the object does not.
  double number(std::string_view key, std::optional<double> fallback,
                std::string_view beside = "") {
    auto value = find(key);
    if (!value && !beside.empty()) value = config_->find(beside);
    if (!value && fallback) return *fallback;
    if (!value) throw place().wrong(fmt::format("a member {}", key));
    if (!std::isfinite(value->number())) throw value->wrong("a finite number");
    return value->number();
  }
  double positive(std::string_view key, std::optional<double> fallback,
                  std::string_view beside = "") {
    const double value = number(key, fallback, beside);
    if (!(value > 0)) throw find(key).value_or(place()).wrong("more than 0");
    return value;
  }
  // The length that the model was trained with; the configuration's own word comes first.
  double original(std::int64_t fallback) {
    constexpr std::string_view kKey = "original_max_position_embeddings";
    if (const auto own = config_->find(kKey); own && own->number() > 0) {
      find(kKey);
      return own->number();
    }
    if (original_ > 0) {
      find(kKey);
      return static_cast<double>(original_);
    }
    return positive(kKey, static_cast<double>(fallback));
  }
  std::vector<float> list(std::string_view key, std::size_t count) {
    const auto value = find(key);
    if (!value) throw place().wrong(fmt::format("a member {}", key));
    std::vector<float> out;
    value->for_each_element([&](std::size_t, Json x) {
      out.push_back(static_cast<float>(x.number()));
      if (!(out.back() > 0) || !std::isfinite(out.back())) throw x.wrong("more than 0");
    });
    if (out.size() != count) throw value->wrong(fmt::format("{} factors", count));
    return out;
  }
  void check_all_read() const {
    for (const Json& object : objects_)
      object.for_each_member([&](std::string_view key, Json value) {
        if (!read_.contains(key) && !value.is_null())
          throw value.wrong(fmt::format("no member {} with this rope type", key));
      });
  }
  Json place() const { return objects_.empty() ? config_->root() : objects_.front(); }
  void ignore(std::initializer_list<std::string_view> keys) {
    for (std::string_view key : keys) read_.emplace(key);
  }

 private:
  Config* config_;
  std::int64_t original_;  // 0: what the object says, else `fallback`
  std::vector<Json> objects_;
  std::set<std::string, std::less<>> read_;
};

std::vector<float> plain_frequencies(double base, std::int64_t dims) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < dims; i += 2)
    out.push_back(1.0f / std::pow(static_cast<float>(base),
                                  static_cast<float>(i) / static_cast<float>(dims)));
  return out;
}

void stretch_llama3(RopeReader* rope, RotarySpec* spec, std::int64_t max_positions) {
  const auto factor = static_cast<float>(rope->positive("factor", std::nullopt));
  const double low = rope->positive("low_freq_factor", std::nullopt);
  const double high = rope->positive("high_freq_factor", std::nullopt);
  const double length = rope->original(max_positions);
  for (float& frequency : spec->frequencies) {
    const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wavelength < length / high) continue;
    if (wavelength > length / low) {
      frequency /= factor;
      continue;
    }
    const float smooth = (static_cast<float>(length) / wavelength - static_cast<float>(low)) /
                         static_cast<float>(high - low);
    frequency = (1 - smooth) * frequency / factor + smooth * frequency;
  }
}

void stretch_yarn(RopeReader* rope, RotarySpec* spec, double base, std::int64_t dims,
                  std::int64_t max_positions) {
  const double original = rope->original(max_positions);
  const double factor = rope->positive("factor", static_cast<double>(max_positions) / original);
  const auto magnitude = [](double scale, double m) {
    return scale <= 1 ? 1.0 : 0.1 * m * std::log(scale) + 1.0;
  };
  const double mscale = rope->number("mscale", 0), all = rope->number("mscale_all_dim", 0);
  const double fallback = mscale != 0 && all != 0
                              ? magnitude(factor, mscale) / magnitude(factor, all)
                              : magnitude(factor, 1);
  spec->magnitude = static_cast<float>(rope->positive("attention_factor", fallback));
  double fast = rope->number("beta_fast", 32), slow = rope->number("beta_slow", 1);
  if (fast == 0) fast = 32;
  if (slow == 0) slow = 1;
  const auto truncate = rope->find("truncate");
  const auto dim_of = [&](double rotations) {
    return static_cast<double>(dims) * std::log(original / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(base));
  };
  double low = dim_of(fast), high = dim_of(slow);
  if (!truncate || truncate->boolean()) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dims - 1));
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < spec->frequencies.size(); ++i) {
    const float power =
        std::pow(static_cast<float>(base), static_cast<float>(2 * i) / static_cast<float>(dims));
    const float ramp = std::clamp(
        (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f,
        1.0f);
    const float keep = 1 - ramp;
    spec->frequencies[i] =
        1.0f / (static_cast<float>(factor) * power) * (1 - keep) + 1.0f / power * keep;
  }
}

void stretch_longrope(RopeReader* rope, RotarySpec* spec, std::int64_t max_positions) {
  const double original = rope->original(max_positions);
  const double factor = rope->positive("factor", static_cast<double>(max_positions) / original);
  spec->original = static_cast<std::int64_t>(original);
  spec->magnitude = static_cast<float>(
      rope->positive("attention_factor",
                     factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original))));
  const std::size_t pairs = spec->frequencies.size();
  spec->long_frequencies = spec->frequencies;
  const auto divide = [&](std::string_view key, std::vector<float>* frequencies) {
    const std::vector<float> factors = rope->list(key, pairs);
    for (std::size_t i = 0; i < pairs; ++i) (*frequencies)[i] /= factors[i];
  };
  divide("short_factor", &spec->frequencies);
  divide("long_factor", &spec->long_frequencies);
}

RotarySpec read_from(std::initializer_list<std::string_view> names, Config* config,
                     const RotaryDefaults& defaults, std::string_view layer_type) {
  RopeReader rope(config, layer_type, names, defaults.original);
  RotarySpec spec;
  spec.neighbours = defaults.neighbours;
  const double base = rope.positive("rope_theta", defaults.theta, defaults.theta_key);
  const double partial =
      rope.positive("partial_rotary_factor", defaults.partial, defaults.partial_key);
  const auto dims = static_cast<std::int64_t>(static_cast<double>(defaults.head_dim) * partial);
  if (partial > 1 || dims < 2 || dims % 2 != 0)
    throw rope.place().wrong(
        fmt::format("partial_rotary_factor to give an even number of 2 to {} rotary elements",
                    defaults.head_dim));
  spec.frequencies = plain_frequencies(base, dims);

  const auto type_json = rope.find("rope_type") ? rope.find("rope_type") : rope.find("type");
  rope.ignore({"type", "finetuned"});
  std::string type(type_json ? type_json->string() : "default");
  // A trained length that stretches nothing.
  config->harmless({"original_max_position_embeddings"});
  if (type == "su" || (type == "yarn" && defaults.yarn_is_longrope)) type = "longrope";
  if (type == "default") {
    rope.ignore({"factor", "original_max_position_embeddings", "attention_factor"});
  } else if (type == "linear") {
    const auto factor = static_cast<float>(rope.positive("factor", std::nullopt));
    for (float& frequency : spec.frequencies) frequency /= factor;
    rope.ignore({"original_max_position_embeddings"});
  } else if (type == "dynamic") {
    spec.dynamic_factor = rope.positive("factor", std::nullopt);
    spec.base = base;
    spec.original = defaults.max_positions;
    rope.ignore({"original_max_position_embeddings"});
  } else if (type == "llama3") {
    stretch_llama3(&rope, &spec, defaults.max_positions);
  } else if (type == "yarn") {
    stretch_yarn(&rope, &spec, base, dims, defaults.max_positions);
  } else if (type == "longrope") {
    stretch_longrope(&rope, &spec, defaults.max_positions);
  } else {
    throw type_json->wrong(kTypes);
  }
  rope.check_all_read();
  return spec;
}

}  // namespace

RotarySpec read_rotary(Config* config, const RotaryDefaults& defaults,
                       std::string_view layer_type) {
  const auto scaling = config->find("rope_scaling"), parameters = config->find("rope_parameters");
  const auto says = [](const std::optional<Json>& object) {
    return object && !(object->is_object() && object->size() == 0);
  };
  if (!defaults.scaling) return read_from({"rope_parameters"}, config, defaults, layer_type);
  if (!says(scaling) || !says(parameters))
    return read_from({"rope_parameters", "rope_scaling"}, config, defaults, layer_type);
  // transformers takes one of the two or both, by the model.
  RotarySpec spec = read_from({"rope_parameters"}, config, defaults, layer_type);
  if (spec != read_from({"rope_scaling"}, config, defaults, layer_type))
    throw scaling->wrong("the same positions as rope_parameters, or one of the two alone");
  return spec;
}

std::vector<float> frequencies_for(const RotarySpec& spec, std::int64_t tokens) {
  if (spec.original == 0 || tokens <= spec.original) return spec.frequencies;
  if (!spec.long_frequencies.empty()) return spec.long_frequencies;
  const double dims = 2 * static_cast<double>(spec.frequencies.size());
  if (dims <= 2) return spec.frequencies;
  const double stretch =
      spec.dynamic_factor * static_cast<double>(tokens) / static_cast<double>(spec.original) -
      (spec.dynamic_factor - 1);
  return plain_frequencies(spec.base * std::pow(stretch, dims / (dims - 2)),
                           static_cast<std::int64_t>(dims));
}

}  // namespace regard
