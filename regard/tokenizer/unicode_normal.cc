// SPDX-License-Identifier: Apache-2.0
// Decomposition, canonical ordering and composition (Unicode standard, section 3.11), keeping for
// each character how it stands to the text: the first part of a decomposition replaces the
// character, the others are inserted after it, and a composed character swallows what it took.
#include "regard/tokenizer/unicode_normal.h"

#include <algorithm>
#include <vector>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

struct Ranked : Change {
  std::uint8_t rank;
};

// Characters below are their own normal form, whatever stands around them.
char32_t first_changing(NormalForm form) {
  switch (form) {
    case NormalForm::kNfc:
      return 0x300;
    case NormalForm::kNfd:
      return 0xC0;
    default:
      return 0xA0;
  }
}

bool needs_work(std::string_view text, NormalForm form) {
  const char32_t from = first_changing(form);
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const CodePoint point = decode_utf8(text, at);
    if (point.value >= from) return true;
    at += point.size;
  }
  return false;
}

std::vector<Ranked> decompose(std::string_view text, bool compatible) {
  std::vector<Ranked> all;
  all.reserve(text.size());
  std::size_t pending = 0;  // where the marks begin that wait for their order
  const auto sort_pending = [&] {
    std::stable_sort(all.begin() + static_cast<std::ptrdiff_t>(pending), all.end(),
                     [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
  };
  const auto add = [&](char32_t value, int change) {
    const std::uint8_t rank = combining_rank(value);
    if (rank == 0) sort_pending();
    all.push_back({{value, change}, rank});
    if (rank == 0) pending = all.size();
  };
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    at += point.size;
    char32_t hangul[3];
    const auto parts = compatible ? compatible_decomposition(point.value, hangul)
                                  : decomposition(point.value, hangul);
    if (parts.empty()) add(point.value, 0);
    for (std::size_t i = 0; i < parts.size(); ++i) add(parts[i], i > 0);
  }
  sort_pending();
  return all;
}

std::vector<Change> compose(const std::vector<Ranked>& all) {
  std::vector<Change> out, waiting;
  out.reserve(all.size());
  bool have = false;  // a starter that may still grow
  Ranked starter{};
  int last_rank = -1;  // of the last mark that stayed apart from it; -1: none did
  for (const Ranked& c : all) {
    if (!have) {
      if (c.rank != 0) {
        out.push_back(c);
      } else {
        starter = c;
        have = true;
      }
      continue;
    }
    const bool blocked = last_rank >= 0 && last_rank >= c.rank;
    const char32_t composed = blocked ? 0 : composition(starter.value, c.value);
    if (composed != 0) {
      starter.value = composed;
      starter.change += c.change - 1;
      continue;
    }
    if (c.rank == 0 && (blocked || last_rank < 0)) {
      out.push_back(starter);
      out.insert(out.end(), waiting.begin(), waiting.end());
      waiting.clear();
      starter = c;
      last_rank = -1;
      continue;
    }
    waiting.push_back(c);
    last_rank = c.rank;
  }
  if (have) out.push_back(starter);
  out.insert(out.end(), waiting.begin(), waiting.end());
  return out;
}

}  // namespace

void to_normal_form(NormalText& text, NormalForm form) {
  if (!needs_work(text.view(), form)) return;
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  const std::vector<Ranked> parts = decompose(text.view(), compatible);
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) {
    rewrite(text, compose(parts));
  } else {
    rewrite(text, {parts.begin(), parts.end()});
  }
}

}  // namespace regard
