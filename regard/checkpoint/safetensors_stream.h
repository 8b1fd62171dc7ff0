// SPDX-License-Identifier: Apache-2.0
// A safetensors file written tensor by tensor, before it is known which ones will come. The format
// lets a header end in spaces, so room for it is left at the start and filled at the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/output_file.h"

namespace regard {

// Thread safety: one writer.
class SafetensorsStream {
 public:
  // header_room: bytes kept for length and header. Throws Error like OutputFile, and for a path
  // that is no regular file and cannot be written out of order.
  SafetensorsStream(const std::string& path, std::uint64_t header_room);

  // Data aligned to 64 bytes in the file, as write_safetensors does it. Throws Error on a full disk
  // and for a name that comes twice.
  void add(const std::string& name, const TensorView& view);
  // Writes the header; the file appears under its name. Throws Error when the room is too small.
  void commit(const std::map<std::string, std::string>& metadata);

  OutputFile& file() { return file_; }
  std::uint64_t bytes() const { return file_.size(); }

 private:
  std::string path_;
  std::uint64_t room_;
  OutputFile file_;
  std::vector<SafetensorsEntry> entries_;  // the data of their views is not looked at again
};

}  // namespace regard
