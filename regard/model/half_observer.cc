// SPDX-License-Identifier: Apache-2.0
// Rounding on the way into attention.
#include "regard/model/half_observer.h"

#include <utility>

#include "regard/attention/round.h"

namespace regard {

void HalfObserver::at(Point point, int layer, MutableView view) {
  if (point == Point::kQuery || point == Point::kKey || point == Point::kValue) {
    const std::int64_t count = element_count(view.shape);
    for (std::int64_t i = 0; i < count; ++i) view.data[i] = to_float16(view.data[i]);
  }
  next_->at(point, layer, std::move(view));
}

void HalfObserver::record(std::shared_ptr<AttentionRecord> record) {
  next_->record(std::move(record));
}

}  // namespace regard
