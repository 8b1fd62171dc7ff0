// SPDX-License-Identifier: Apache-2.0
// A trace file written layer by layer while a model runs, so that no more than one layer is held.
// The header, whose room is kept free at the start, is written last, into a temporary file: what
// is left of a run that was killed begins with zeros and is no trace.
#pragma once

#include <cstdint>
#include <string>

#include "regard/checkpoint/safetensors_stream.h"
#include "regard/trace/trace.h"

namespace regard {

// Thread safety: one writer.
class TraceWriter {
 public:
  // Opens a temporary file beside `path`, reserves `expected` bytes on the disk (0: none) and
  // writes text and tokens. trace: without layers. layers: at most as many will be added. Throws
  // Error when the folder cannot be written or the disk has no room.
  TraceWriter(const std::string& path, const Trace& trace, std::size_t layers,
              std::uint64_t expected);

  // Throws Error on a full disk, or when a layer comes twice or after a later one.
  void add(const LayerTrace& layer);
  // The file appears under its name. Throws Error; then an older file is untouched.
  void commit();

  // Of the file so far.
  std::uint64_t bytes() const { return stream_.bytes(); }

 private:
  SafetensorsStream stream_;
  std::map<std::string, std::string> metadata_;
  int last_layer_ = -1;
};

}  // namespace regard
