// SPDX-License-Identifier: Apache-2.0
// Origins are kept only once the text has lost the shape of what was typed.
#include "regard/tokenizer/normal_text.h"

#include <algorithm>

#include "regard/platform/utf8.h"

namespace regard {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t size = 1;
  while (at + size < text.size() && continues(text[at + size])) ++size;
  return size;
}

}  // namespace

NormalText::NormalText(std::string_view whole, Span span)
    : whole_(whole), base_(span.start), length_(span.end - span.start) {}

Span NormalText::origin(std::size_t at) const {
  if (!origins_.empty()) return {origins_[at].start, origins_[at].end};
  std::size_t start = base_ + at;
  while (start > base_ && continues(whole_[start])) --start;
  return {start, start + character_size(whole_, start)};
}

Span NormalText::original(std::size_t start, std::size_t end) const {
  if (start >= end) {
    const std::size_t here = empty() ? base_ : origin(std::min(start, length_ - 1)).start;
    return {here, here};
  }
  const std::string_view text = view();
  const bool inside = continues(text[start]) || (end < text.size() && continues(text[end]));
  if (origins_.empty() && (!inside || !owned_)) return {base_ + start, base_ + end};
  Span out{origin(start).start, origin(end - 1).end};
  // Inside a character: the exact bytes when they are those that were typed.
  const auto exact = [&](std::size_t at, std::size_t otherwise) {
    std::size_t first = at;
    while (first > 0 && continues(text[first])) --first;
    const Span from = origin(first);
    const std::size_t size = character_size(text, first);
    if (from.end - from.start != size ||
        whole_.substr(from.start, size) != text.substr(first, size)) {
      return otherwise;
    }
    return from.start + (at - first);
  };
  if (continues(text[start])) out.start = exact(start, out.start);
  if (end < text.size() && continues(text[end])) out.end = exact(end, out.end);
  return out;
}

NormalText NormalText::slice(std::size_t start, std::size_t end) const {
  const std::size_t base = start < end ? origin(start).start : base_;
  NormalText out(whole_, {base, base + (end - start)});
  if (!owned_) return out;
  out.owned_ = true;
  out.text_ = text_.substr(start, end - start);
  if (!origins_.empty()) {
    out.origins_.assign(origins_.begin() + static_cast<std::ptrdiff_t>(start),
                        origins_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return out;
}

void NormalText::set_same_shape(std::string text) {
  text_ = std::move(text);
  owned_ = true;
}

Rewriter::Rewriter(NormalText& text) : text_(text), old_(text.view()) {
  out_.reserve(old_.size() + old_.size() / 8 + 16);
}

NormalText::Origin Rewriter::origin_at(std::size_t at) const {
  const Span span = text_.origin(at);
  return {static_cast<std::uint32_t>(span.start), static_cast<std::uint32_t>(span.end)};
}

void Rewriter::split() {
  if (!same_) return;
  same_ = false;
  origins_.reserve(old_.size() + old_.size() / 8 + 16);
  for (std::size_t i = 0; i < out_.size(); ++i) origins_.push_back(origin_at(i));
}

void Rewriter::keep(std::size_t bytes) {
  out_.append(old_.substr(at_, bytes));
  if (!same_) {
    for (std::size_t i = 0; i < bytes; ++i) origins_.push_back(origin_at(at_ + i));
  }
  at_ += bytes;
}

void Rewriter::skip(std::size_t bytes) {
  if (bytes == 0) return;
  split();
  at_ += bytes;
}

void Rewriter::skip_characters(std::size_t count) {
  for (; count > 0 && !done(); --count) skip(character_size(old_, at_));
}

void Rewriter::replace(char32_t with) {
  if (done()) return insert(with);
  const std::size_t old_size = character_size(old_, at_);
  const std::size_t before = out_.size();
  append_utf8(out_, with);
  if (same_ && out_.size() - before != old_size) {
    const std::string tail = out_.substr(before);
    out_.resize(before);
    split();
    out_ += tail;
  }
  if (!same_) origins_.resize(out_.size(), origin_at(at_));
  at_ += old_size;
}

void Rewriter::insert(char32_t c) {
  std::string text;
  append_utf8(text, c);
  insert(text);
}

void Rewriter::insert(std::string_view text) {
  if (text.empty()) return;
  split();
  out_ += text;
  NormalText::Origin origin;
  if (at_ > 0) {
    origin = origin_at(at_ - 1);
  } else {
    const auto start = static_cast<std::uint32_t>(text_.base_);
    origin = {start, start};
  }
  origins_.resize(out_.size(), origin);
}

void Rewriter::insert(char32_t c, Span origin) {
  split();
  append_utf8(out_, c);
  origins_.resize(out_.size(), {static_cast<std::uint32_t>(origin.start),
                                static_cast<std::uint32_t>(origin.end)});
}

void Rewriter::prepend(std::string_view text) {
  if (done()) return insert(text);
  split();
  out_ += text;
  origins_.resize(out_.size(), origin_at(at_));
}

void Rewriter::finish() {
  if (at_ < old_.size()) skip(old_.size() - at_);
  if (!same_) text_.origins_ = std::move(origins_);
  text_.length_ = out_.size();
  text_.text_ = std::move(out_);
  text_.owned_ = true;
}

void rewrite(NormalText& text, const std::vector<Change>& changes) {
  Rewriter rewriter(text);
  for (const Change& c : changes) {
    if (c.change > 0) {
      rewriter.insert(c.value);
    } else {
      rewriter.replace(c.value);
      if (c.change < 0) rewriter.skip_characters(static_cast<std::size_t>(-c.change));
    }
  }
  rewriter.finish();
}

}  // namespace regard
