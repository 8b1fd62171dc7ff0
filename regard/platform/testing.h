// SPDX-License-Identifier: Apache-2.0
// For tests of every floor: what an Error says.
#pragma once

#include <string>
#include <utility>

#include "regard/platform/error.h"

namespace regard {

// The message of the Error that `work` throws, "no error" when it throws none.
template <typename Work>
std::string error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace regard
