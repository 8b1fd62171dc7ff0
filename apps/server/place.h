// SPDX-License-Identifier: Apache-2.0
// One of a limited number of places, held for as long as it lives: what bounds how many requests of
// a kind are served at once.
// Thread safety: each Place serves one thread; the counter is shared.
#pragma once

#include <atomic>

namespace regard::server {

class Place {
 public:
  Place(std::atomic<int>* taken, int places)
      : taken_(taken), granted_(taken->fetch_add(1) < places) {}
  ~Place() { taken_->fetch_sub(1); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  // Whether there was a place; if not, the request must be refused.
  bool granted() const { return granted_; }

 private:
  std::atomic<int>* taken_;
  bool granted_;
};

}  // namespace regard::server
