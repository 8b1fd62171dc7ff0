// SPDX-License-Identifier: Apache-2.0
// Loads Pango and Cairo, once.
#include "regard/render/pango_cairo.h"

#include <dlfcn.h>

#include <string>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr const char* kLibrary = "libpangocairo-1.0.so.0";

// Never closed: the libraries behind it keep state of their own.
void* library() {
  static void* const handle = [] {
    void* const opened = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr)
      throw Error(std::string("pictures: expected the library ") + kLibrary + " (Pango), found " +
                  dlerror());
    return opened;
  }();
  return handle;
}

}  // namespace

void* find_in_pango_cairo(const char* function) {
  void* const address = dlsym(library(), function);
  if (address == nullptr)
    throw Error(std::string("pictures: expected the function ") + function + " in " + kLibrary +
                ", found none");
  return address;
}

}  // namespace regard
