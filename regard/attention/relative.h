// SPDX-License-Identifier: Apache-2.0
// Relative positions as models bucket them, spread over distances for ScoreTerms.
#pragma once

#include <cstdint>
#include <vector>

namespace regard {

// T5's bucket of the distance key - query (Raffel et al. 2020, section 2.1; MPNet's too), in the
// float arithmetic of its reference implementation. REQUIRES: buckets >= 2 (4 when bidirectional),
// max_distance above the number of exact buckets.
std::int64_t t5_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t max_distance,
                       bool bidirectional);

// table: [bucket, head]. Result: [head, 2 * max_distance + 1] for ScoreTerms::bias, whose
// bias_reach is max_distance: all larger distances share the last bucket.
std::vector<float> t5_bias(const float* table, std::int64_t buckets, std::int64_t heads,
                           std::int64_t max_distance, bool bidirectional);

// DeBERTa's slot of query - key = -distance: clamp(bucket + span, 0, 2 * span - 1), where buckets
// are logarithmic beyond bucket_size / 2 (v2, with bucket_size > 0 and max_position > 0; He et al.
// 2021) or the distance itself (v1, bucket_size <= 0).
std::int64_t deberta_slot(std::int64_t distance, std::int64_t span, std::int64_t bucket_size,
                          std::int64_t max_position);

// Result: [2 * reach + 1] for ScoreTerms::slot. reach: the largest distance of the text.
std::vector<std::int32_t> deberta_slots(std::int64_t reach, std::int64_t span,
                                        std::int64_t bucket_size, std::int64_t max_position);

// ALiBi's slopes for `heads` heads (Press et al. 2022): 2^(-8 i / n) for the largest power of two
// n <= heads, then every second slope of 2 n.
std::vector<float> alibi_slopes(std::int64_t heads);

}  // namespace regard
