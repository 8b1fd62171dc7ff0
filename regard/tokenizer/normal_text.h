// SPDX-License-Identifier: Apache-2.0
// A stretch of a text on its way through normalisers and pre-tokenisers, and the way back from
// each of its bytes to the bytes of the text that it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

// The rule for origins is the tokenizers library's: a character that replaces another has that
// one's bytes as its origin; one that is inserted has those of the character before it.
// Thread safety: none; one thread at a time.
class NormalText {
 public:
  struct Origin {
    std::uint32_t start, end;
  };

  // whole[span], unchanged. `whole` is valid UTF-8, outlives this and has less than 4 GiB.
  NormalText(std::string_view whole, Span span);

  std::string_view view() const {
    return owned_ ? std::string_view(text_) : whole_.substr(base_, length_);
  }
  bool empty() const { return length_ == 0; }
  std::size_t size() const { return length_; }

  // The bytes of `whole` that the character around byte `at` came from; at < size().
  Span origin(std::size_t at) const;
  // The bytes of `whole` that bytes [start, end) came from. Where a range begins or ends inside a
  // character that is as it was typed, so does the result; else it has the whole character.
  Span original(std::size_t start, std::size_t end) const;

  // Bytes [start, end), whole characters, as a text of its own.
  NormalText slice(std::size_t start, std::size_t end) const;

  // Swaps the text for one of the same length, whose characters begin and end where the old ones
  // do and came from the same bytes.
  void set_same_shape(std::string text);

 private:
  friend class Rewriter;
  std::string_view whole_;
  std::size_t base_, length_;
  bool owned_ = false;  // text_ holds the text, else it is a part of whole_
  std::string text_;
  std::vector<Origin> origins_;  // for each byte; empty: byte i came from base_ + i
};

// Writes a text anew from its old characters, in order. Until finish() the text is the old one.
// Thread safety: none; one thread at a time.
class Rewriter {
 public:
  explicit Rewriter(NormalText& text);

  // The place in the old text, and the character there; done() when none is left.
  std::size_t at() const { return at_; }
  bool done() const { return at_ >= old_.size(); }

  void keep(std::size_t bytes);  // copies old bytes, whole characters
  void skip(std::size_t bytes);  // drops old bytes, whole characters
  void skip_characters(std::size_t count);
  void replace(char32_t with);  // for the character here, which is passed
  void insert(char32_t c);      // has the origin of what lies before here
  void insert(std::string_view text);
  void insert(char32_t c, Span origin);
  void prepend(std::string_view text);              // has the origin of the character here
  std::size_t size() const { return out_.size(); }  // bytes written
  void finish();

 private:
  void split();  // from now on origins are written out
  NormalText::Origin origin_at(std::size_t at) const;
  NormalText& text_;
  std::string_view old_;
  std::size_t at_ = 0;
  std::string out_;
  bool same_ = true;  // out_ has the shape of the old text so far
  std::vector<NormalText::Origin> origins_;
};

// A character of a rewritten text: inserted when change > 0; else it replaces the next character
// of the old text and swallows -change more.
struct Change {
  char32_t value;
  int change;
};
void rewrite(NormalText& text, const std::vector<Change>& changes);

}  // namespace regard
