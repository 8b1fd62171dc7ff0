// SPDX-License-Identifier: Apache-2.0
// The files of web/dist as bytes of the program.
#include <cstddef>

#include "regard/session/page.h"

// NOLINTBEGIN: an assembler's directive is the only portable way to put a file into an object as
// is.
#define REGARD_FILE(name, path)                                                                  \
  __asm__(                                                                                       \
      ".section .rodata, \"a\"\n"                                                                \
      ".balign 16\n"                                                                             \
      ".hidden regard_page_" #name "\n.global regard_page_" #name "\nregard_page_" #name         \
      ":\n.incbin \"" path                                                                       \
      "\"\n"                                                                                     \
      ".hidden regard_page_" #name "_end\n.global regard_page_" #name "_end\nregard_page_" #name \
      "_end:\n.byte 0\n.previous\n");                                                            \
  extern "C" const char regard_page_##name[];                                                    \
  extern "C" const char regard_page_##name##_end[];
// NOLINTEND

REGARD_FILE(html, REGARD_PAGE_FOLDER "/index.html")
REGARD_FILE(style, REGARD_PAGE_FOLDER "/page.css")
REGARD_FILE(script, REGARD_PAGE_FOLDER "/page.js")
REGARD_FILE(lesson, REGARD_PAGE_FOLDER "/lesson.html")
REGARD_FILE(runs, REGARD_PAGE_FOLDER "/lesson_runs.json")

namespace regard {
namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

const PageFiles& page_files() {
  static const PageFiles files = {between(regard_page_html, regard_page_html_end),
                                  between(regard_page_style, regard_page_style_end),
                                  between(regard_page_script, regard_page_script_end),
                                  between(regard_page_lesson, regard_page_lesson_end),
                                  between(regard_page_runs, regard_page_runs_end)};
  return files;
}

}  // namespace regard
