// SPDX-License-Identifier: Apache-2.0
// Errors of a reader of bytes.
#include "regard/checkpoint/byte_reader.h"

#include <fmt/format.h>

#include "regard/platform/error.h"

namespace regard {

Error ByteReader::wrong(std::uint64_t where, std::string_view expected,
                        std::string_view found) const {
  return Error::at(file_, fmt::format("byte {}", where), expected, found);
}

void ByteReader::fail_at_end(std::uint64_t count, std::string_view what) const {
  throw wrong(position_, fmt::format("{} of {} bytes", what, count),
              fmt::format("an end after {} bytes", remaining()));
}

}  // namespace regard
