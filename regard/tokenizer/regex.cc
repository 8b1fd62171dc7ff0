// SPDX-License-Identifier: Apache-2.0
// Matching by PCRE2 (its pcre2api page) with bounded steps and memory.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "regard/tokenizer/regex.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::uint32_t kMatchLimit = 20'000'000;
constexpr std::uint32_t kHeapLimit = 256 * 1024;  // KiB
constexpr std::size_t kJitStack = std::size_t{16} << 20;

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256];
  if (pcre2_get_error_message(code, buffer, sizeof buffer) < 0) return std::to_string(code);
  return reinterpret_cast<const char*>(buffer);
}

template <auto free>
struct Freed {
  template <typename T>
  void operator()(T* p) const {
    free(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Freed<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Freed<pcre2_jit_stack_free>>;

// What a thread needs to match.
struct Workspace {
  MatchData data{pcre2_match_data_create(1, nullptr)};
  MatchContext context{pcre2_match_context_create(nullptr)};
  JitStack stack{pcre2_jit_stack_create(32 * 1024, kJitStack, nullptr)};
  Workspace() {
    if (!data || !context) throw Error::at("", "pattern", "memory to match", "none");
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimit);
    if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

std::size_t next_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

// Calls search(from) for the first match at or after `from` until it finds none.
template <typename Search>
void find_all(std::string_view text, std::vector<Span>& out, const Search& search) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t last = kNone;  // end of the last match
  for (std::size_t from = 0; from <= text.size();) {
    Span found;
    if (!search(from, found)) return;
    if (found.start == found.end && found.end == last) {
      from = next_character(text, from);
      continue;
    }
    out.push_back(found);
    from = last = found.end;
  }
}

}  // namespace

struct Regex::Compiled {
  std::string pattern, file, key;
  Code code;
};

Regex Regex::compile(std::string_view pattern, const std::string& file, const std::string& key) {
  const auto compiled = std::make_shared<Compiled>();
  compiled->pattern = pattern;
  compiled->file = file;
  compiled->key = key;
  const std::string translated = pcre2_pattern(pattern, file, key);
  int code = 0;
  PCRE2_SIZE at = 0;
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                     translated.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                     &code, &at, nullptr));
  if (!compiled->code) {
    throw Error::at(file, key, fmt::format("a regular expression ({})", message_of(code)), pattern);
  }
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // without it matching is slower
  Regex regex;
  regex.compiled_ = compiled;
  return regex;
}

Regex Regex::literal(std::string_view text) {
  Regex regex;
  regex.literal_ = text;
  return regex;
}

void Regex::find(std::string_view text, std::vector<Span>& out) const {
  if (!compiled_) {
    return find_all(text, out, [&](std::size_t from, Span& found) {
      const std::size_t at = text.find(literal_, from);
      if (at == std::string_view::npos) return false;
      found = {at, at + literal_.size()};
      return true;
    });
  }
  thread_local const Workspace workspace;
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  find_all(text, out, [&](std::size_t from, Span& found) {
    int status = pcre2_match(compiled_->code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                             workspace.data.get(), workspace.context.get());
    if (status == PCRE2_ERROR_JIT_STACKLIMIT) {
      status = pcre2_match(compiled_->code.get(), subject, text.size(), from,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, workspace.data.get(),
                           workspace.context.get());
    }
    if (status == PCRE2_ERROR_NOMATCH) return false;
    if (status < 0) {
      throw Error::at(compiled_->file, compiled_->key,
                      fmt::format("a pattern that matches in bounded steps ({} at byte {})",
                                  message_of(status), from),
                      compiled_->pattern);
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(workspace.data.get());
    // \K in a look-around can put the start behind the end.
    found = {std::max<std::size_t>(bounds[0], from), std::max<std::size_t>(bounds[1], from)};
    found.start = std::min(found.start, found.end);
    return true;
  });
}

}  // namespace regard
