// SPDX-License-Identifier: Apache-2.0
// The parameters in an address, read strictly: what is missing, malformed or unknown is a Failure
// (400) that says so. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/trace/trace.h"

namespace regard::server {

class Parameters {
 public:
  // known: the names that the endpoint takes.
  Parameters(const std::map<std::string, std::string>& values,
             const std::vector<std::string_view>& known);

  std::string text(const std::string& name, const std::string& otherwise) const;
  std::int64_t whole(const std::string& name, std::int64_t least, std::int64_t most,
                     std::optional<std::int64_t> otherwise = std::nullopt) const;
  double share(const std::string& name, double otherwise) const;  // above 0 to 1
  bool flag(const std::string& name, bool otherwise) const;       // true or false
  // "begin:end" within [0, end).
  void range(const std::string& name, std::int64_t end, std::int64_t* first,
             std::int64_t* last) const;
  // "size" (most cells along an edge) or "cell" ("height,width" of each in tokens).
  TileSize tile_size(const AttentionMap& map) const;
  // "head" and "kind": one that the trace has, else a Failure (404).
  HeadId head(const Trace& trace) const;
  // The same with several, separated by commas.
  std::vector<HeadId> heads(const Trace& trace) const;
  bool has(const std::string& name) const { return values_.contains(name); }

 private:
  const std::map<std::string, std::string>& values_;
};

}  // namespace regard::server
