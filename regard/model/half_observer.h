// SPDX-License-Identifier: Apache-2.0
// Rounds queries, keys and values to fp16 before each attention is computed, so that what another
// observer records of it fits into half the bytes and is exact all the same.
#pragma once

#include <memory>

#include "regard/model/observer.h"

namespace regard {

// Every call goes on to `next`, which must outlive this. Thread safety: as Observer's.
class HalfObserver : public Observer {
 public:
  explicit HalfObserver(Observer* next) : next_(next) {}
  void at(Point point, int layer, MutableView view) override;
  bool wants_record(int layer) override { return next_->wants_record(layer); }
  void record(std::shared_ptr<AttentionRecord> record) override;
  bool wants_overview() override { return next_->wants_overview(); }

 private:
  Observer* next_;
};

}  // namespace regard
