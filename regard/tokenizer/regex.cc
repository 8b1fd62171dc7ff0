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

// PCRE2 bounds the steps from one place of the text, and does not tell how many it has taken. So
// the places are looked at many at a time with a small bound; where that is too small, alone with
// ever larger ones, as long as the text's budget lasts.
constexpr std::uint64_t kFirstSteps = 1'000, kMoreSteps = 2;
constexpr std::size_t kMostPlaces = 1'024;
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
using CompileContext = std::unique_ptr<pcre2_compile_context, Freed<pcre2_compile_context_free>>;
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

  // Of the first match at or after `from`: false when there is none.
  bool search(std::string_view text, std::size_t from, TextBudget& budget, Span& found) const;
};

bool Regex::Compiled::search(std::string_view text, std::size_t from, TextBudget& budget,
                             Span& found) const {
  thread_local const Workspace workspace;
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  // Of the matches that begin in [at, at + places).
  std::size_t at = from, places = kMostPlaces;
  const auto match = [&](std::uint64_t steps) {
    pcre2_match_context* context = workspace.context.get();
    pcre2_set_match_limit(context, static_cast<std::uint32_t>(steps));
    pcre2_set_offset_limit(context, at + places - 1);
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code.get(), subject, text.size(), at, options, workspace.data.get(),
                         context);
    };
    const int status = run(PCRE2_NO_UTF_CHECK);
    return status == PCRE2_ERROR_JIT_STACKLIMIT ? run(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT) : status;
  };
  while (true) {
    int status = match(kFirstSteps);
    if (status == PCRE2_ERROR_MATCHLIMIT) {
      // Characters that a repeat swallows are no steps.
      budget.steps -= std::min<std::uint64_t>(budget.steps, (text.size() - at) / 8);
    }
    if (status == PCRE2_ERROR_MATCHLIMIT && places > 1) {
      places = std::max<std::size_t>(places / 32, 1);
      continue;
    }
    for (std::uint64_t steps = kFirstSteps; status == PCRE2_ERROR_MATCHLIMIT;) {
      steps = std::min({steps * kMoreSteps, budget.steps, std::uint64_t{1} << 31});
      if (steps == 0) break;
      status = match(steps);
      budget.steps -= std::min(budget.steps, steps + (text.size() - at) / 8);
    }
    if (status == PCRE2_ERROR_NOMATCH) {
      at += places - 1;
      if (at >= text.size()) return false;
      at = next_character(text, at);
      places = std::min(places * 2, kMostPlaces);
      continue;
    }
    if (status < 0) {
      throw Error::at(file, key,
                      fmt::format("a pattern that matches in bounded steps ({} at byte {} of {})",
                                  message_of(status), at, text.size()),
                      pattern);
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(workspace.data.get());
    // \K in a look-around can put the start behind the end.
    found = {std::max<std::size_t>(bounds[0], from), std::max<std::size_t>(bounds[1], from)};
    found.start = std::min(found.start, found.end);
    return true;
  }
}

Regex Regex::compile(std::string_view pattern, const std::string& file, const std::string& key) {
  const auto compiled = std::make_shared<Compiled>();
  compiled->pattern = pattern;
  compiled->file = file;
  compiled->key = key;
  const std::string translated = pcre2_pattern(pattern, file, key);
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) throw Error::at(file, key, "memory to compile", "none");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE at = 0;
  compiled->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
      &code, &at, context.get()));
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

void Regex::find(std::string_view text, std::vector<Span>& out, TextBudget& budget) const {
  if (compiled_) {
    return find_all(text, out, [&](std::size_t from, Span& found) {
      return compiled_->search(text, from, budget, found);
    });
  }
  find_all(text, out, [&](std::size_t from, Span& found) {
    const std::size_t at = text.find(literal_, from);
    if (at == std::string_view::npos) return false;
    found = {at, at + literal_.size()};
    return true;
  });
}

}  // namespace regard
