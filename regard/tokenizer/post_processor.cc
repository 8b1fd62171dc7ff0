// SPDX-License-Identifier: Apache-2.0
// By the rules of the tokenizers library (tokenizers/src/processors). BERT's template: Devlin et
// al. 2019, arXiv:1810.04805, figure 2.
#include "regard/tokenizer/post_processor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

constexpr char32_t kSpaceStandIn = 0x120;

bool is_blank(char32_t c) { return c == kSpaceStandIn || (unicode_flags(c) & kSplitSpace) != 0; }

std::uint32_t leading_blanks(std::string_view piece) {
  std::uint32_t count = 0;
  for (std::size_t at = 0; at < piece.size(); ++count) {
    const CodePoint point = decode_utf8(piece, at);
    if (!is_blank(point.value)) break;
    at += point.size;
  }
  return count;
}

std::uint32_t trailing_blanks(std::string_view piece) {
  std::uint32_t count = 0;
  for (std::size_t end = piece.size(); end > 0; ++count) {
    std::size_t before = end - 1;
    while (before > 0 && (static_cast<unsigned char>(piece[before]) & 0xC0) == 0x80) --before;
    if (!is_blank(decode_utf8(piece, before).value)) break;
    end = before;
  }
  return count;
}

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

// Blanks of a piece are counted in characters, and so is the way that its span shrinks: in whole
// characters, as the library counts. An end that does not move stays as it is.
void trim(CutText& cut, bool add_prefix_space) {
  const std::string_view text = cut.text;
  for (std::size_t i = 0; i < cut.tokens.size() && i < cut.blanks.size(); ++i) {
    Span& span = cut.tokens[i].span;
    auto [leading, trailing] = cut.blanks[i];
    // The one space that was put before the text stands for nothing that was typed.
    if ((i == 0 || span.start == 0) && add_prefix_space && leading == 1) leading = 0;
    if (leading == 0 && trailing == 0) continue;
    std::size_t start = span.start, end = span.end;
    while (start > 0 && continues(text, start)) --start;
    while (continues(text, end)) ++end;
    const bool starts_later = leading > 0, ends_earlier = trailing > 0;
    for (; leading > 0 && start < end; --leading) {
      do ++start;
      while (start < end && continues(text, start));
    }
    for (; trailing > 0 && end > start; --trailing) {
      do --end;
      while (end > start && continues(text, end));
    }
    if (starts_later) span.start = start;
    if (ends_earlier) span.end = end;
    span.end = std::max(span.start, span.end);
  }
}

}  // namespace

TemplateStep TemplateStep::bert(const TemplateToken& cls, const TemplateToken& sep) {
  TemplateStep step;
  step.single = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}};
  step.pair = step.single;
  step.pair.push_back({1, 1, {}});
  step.pair.push_back({-1, 1, {sep}});
  return step;
}

TemplateStep TemplateStep::roberta(const TemplateToken& cls, const TemplateToken& sep) {
  TemplateStep step;
  step.single = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}};
  step.pair = step.single;
  step.pair.push_back({-1, 0, {sep}});
  step.pair.push_back({1, 0, {}});
  step.pair.push_back({-1, 0, {sep}});
  return step;
}

TemplateStep TemplateStep::around(std::vector<TemplateToken> prefix,
                                  std::vector<TemplateToken> suffix, bool once) {
  TemplateStep step;
  step.single = {{-1, 0, prefix}, {0, 0, {}}, {-1, 0, suffix}};
  if (once) {
    step.pair = {{-1, 0, prefix}, {0, 0, {}}, {1, 0, {}}, {-1, 0, suffix}};
  } else {
    step.pair = step.single;
    step.pair.push_back({-1, 1, std::move(prefix)});
    step.pair.push_back({1, 1, {}});
    step.pair.push_back({-1, 1, std::move(suffix)});
  }
  return step;
}

Blanks blanks_of(std::string_view piece) { return {leading_blanks(piece), trailing_blanks(piece)}; }

bool PostProcessor::trims() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const auto& step) { return std::holds_alternative<TrimStep>(step); });
}

std::vector<Token> PostProcessor::apply(std::vector<CutText> texts, bool special) const {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (Token& token : texts[i].tokens) token.type = static_cast<std::int64_t>(i);
  }
  const TemplateStep* filling = nullptr;
  for (const auto& step : steps) {
    if (const auto* trimming = std::get_if<TrimStep>(&step)) {
      for (CutText& text : texts) trim(text, trimming->add_prefix_space);
    } else {
      filling = &std::get<TemplateStep>(step);
    }
  }
  if (!filling && texts.size() == 1) return std::move(texts[0].tokens);
  std::vector<Token> out;
  std::size_t count = 16;
  for (const CutText& text : texts) count += text.tokens.size();
  out.reserve(count);
  if (!filling) {
    for (CutText& text : texts) std::ranges::move(text.tokens, std::back_inserter(out));
    return out;
  }
  for (const TemplateItem& item : texts.size() > 1 ? filling->pair : filling->single) {
    if (item.sequence >= 0) {
      for (Token& token : texts[static_cast<std::size_t>(item.sequence)].tokens) {
        token.type = item.type;
        out.push_back(std::move(token));
      }
    } else if (special) {
      for (const TemplateToken& token : item.tokens) {
        out.push_back({token.id, token.text, {}, -1, item.type, true});
      }
    }
  }
  return out;
}

}  // namespace regard
