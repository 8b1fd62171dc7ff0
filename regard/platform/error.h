// SPDX-License-Identifier: Apache-2.0
// The one exception type of Regard. An error says, in one line, which file or argument is wrong,
// at which place, what was expected there and what was found.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace regard {

// Thread safety: immutable after construction; copies may be read from any thread.
class Error : public std::exception {
 public:
  enum class Kind {
    kFailed,     // the work could not be done: exit status 1
    kUsage,      // the request itself is wrong: exit status 2
    kCancelled,  // somebody asked to stop
  };

  // A message as it stands. Line breaks and control characters are escaped, so that what() is
  // always one line of printable UTF-8, whatever the input held.
  explicit Error(std::string_view message, Kind kind = Kind::kFailed);

  // "file: place: expected ..., found ...". `place` is a byte offset or a key and may be empty, as
  // may `file`; `found` is cut to 200 bytes.
  static Error at(std::string_view file, std::string_view place, std::string_view expected,
                  std::string_view found);

  const char* what() const noexcept override { return message_.c_str(); }
  Kind kind() const noexcept { return kind_; }

 private:
  std::string message_;
  Kind kind_;
};

// `text` as one printable line: control characters and invalid UTF-8 become \xNN.
std::string printable(std::string_view text);

}  // namespace regard
