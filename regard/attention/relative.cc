// SPDX-License-Identifier: Apache-2.0
// Buckets of relative positions, as the models' reference implementations compute them.
#include "regard/attention/relative.h"

#include <algorithm>
#include <cmath>

namespace regard {

std::int64_t t5_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t max_distance,
                       bool bidirectional) {
  std::int64_t first = 0, n = buckets;
  std::int64_t away = -distance;
  if (bidirectional) {
    n /= 2;
    if (distance > 0) first = n;
    away = std::abs(distance);
  }
  away = std::max<std::int64_t>(away, 0);
  const std::int64_t exact = n / 2;
  if (away < exact) return first + away;
  const double span = std::log(static_cast<double>(max_distance) / static_cast<double>(exact));
  const float part = std::log(static_cast<float>(away) / static_cast<float>(exact)) /
                     static_cast<float>(span) * static_cast<float>(n - exact);
  return first + std::min(exact + static_cast<std::int64_t>(part), n - 1);
}

std::vector<float> t5_bias(const float* table, std::int64_t buckets, std::int64_t heads,
                           std::int64_t max_distance, bool bidirectional) {
  const std::int64_t width = 2 * max_distance + 1;
  std::vector<float> bias(static_cast<std::size_t>(heads * width));
  for (std::int64_t i = 0; i < width; ++i) {
    const std::int64_t bucket = t5_bucket(i - max_distance, buckets, max_distance, bidirectional);
    for (std::int64_t head = 0; head < heads; ++head)
      bias[static_cast<std::size_t>(head * width + i)] = table[bucket * heads + head];
  }
  return bias;
}

std::int64_t deberta_slot(std::int64_t distance, std::int64_t span, std::int64_t bucket_size,
                          std::int64_t max_position) {
  std::int64_t bucket = -distance;
  const std::int64_t middle = bucket_size / 2;
  if (bucket_size > 0 && max_position > 0 && std::abs(distance) > middle) {
    const float away = static_cast<float>(std::abs(distance)) / static_cast<float>(middle);
    const float range =
        std::log(static_cast<float>(static_cast<double>(max_position - 1) / middle));
    const float part = std::ceil(std::log(away) / range * static_cast<float>(middle - 1));
    const std::int64_t size = static_cast<std::int64_t>(part) + middle;
    bucket = distance < 0 ? size : -size;
  }
  return std::clamp<std::int64_t>(bucket + span, 0, 2 * span - 1);
}

std::vector<std::int32_t> deberta_slots(std::int64_t reach, std::int64_t span,
                                        std::int64_t bucket_size, std::int64_t max_position) {
  std::vector<std::int32_t> slots;
  for (std::int64_t distance = -reach; distance <= reach; ++distance)
    slots.push_back(
        static_cast<std::int32_t>(deberta_slot(distance, span, bucket_size, max_position)));
  return slots;
}

std::vector<float> alibi_slopes(std::int64_t heads) {
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<float> slopes;
  for (std::int64_t i = 1; i <= heads; ++i) {
    const double n = static_cast<double>(power), at = static_cast<double>(i);
    const double exponent = i <= power ? -8.0 * at / n : -4.0 * (2.0 * (at - n) - 1.0) / n;
    slopes.push_back(static_cast<float>(std::exp2(exponent)));
  }
  return slopes;
}

}  // namespace regard
