// SPDX-License-Identifier: Apache-2.0
// New tokens are decoded together with those just before them, since a decoder looks at neighbours
// (a blank at the very beginning, bytes that make a character); what is new in the text is theirs.
#include "regard/tokenizer/continuation.h"

#include <algorithm>
#include <string_view>

namespace regard {
namespace {

constexpr std::size_t kLookedAt = 8;  // tokens of what was before
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

Continuation continuation(const Tokenizer& tokenizer, const std::vector<std::int64_t>& before,
                          const std::vector<std::int64_t>& ids) {
  Continuation out;
  // Tokens whose text is out, and behind them those whose text is not.
  std::vector<std::int64_t> known(
      before.end() - static_cast<std::ptrdiff_t>(std::min(before.size(), kLookedAt)), before.end());
  std::vector<std::int64_t> waiting;
  std::vector<std::size_t> waiting_at;  // in ids
  const auto put = [&](std::string_view text) {
    const Span span{out.text.size(), out.text.size() + text.size()};
    out.text += text;
    for (const std::size_t at : waiting_at) out.spans[at] = span;
    known = std::move(waiting);
    waiting.clear();
    waiting_at.clear();
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.spans.push_back({out.text.size(), out.text.size()});
    if (tokenizer.is_special(ids[i])) continue;
    waiting.push_back(ids[i]);
    waiting_at.push_back(i);
    const std::string old = tokenizer.decode(known, true);
    std::vector<std::int64_t> all = known;
    all.insert(all.end(), waiting.begin(), waiting.end());
    const std::string text = tokenizer.decode(all, true);
    if (text.size() > old.size() && text.starts_with(old) && !text.ends_with(kReplacement))
      put(std::string_view(text).substr(old.size()));
  }
  if (waiting.empty()) return out;
  // The text ends in the middle of a character, or in tokens without any text.
  const std::string old = tokenizer.decode(known, true);
  known.insert(known.end(), waiting.begin(), waiting.end());
  const std::string text = tokenizer.decode(known, true);
  put(text.starts_with(old) ? std::string_view(text).substr(old.size()) : std::string_view());
  return out;
}

}  // namespace regard
