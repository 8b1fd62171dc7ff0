// SPDX-License-Identifier: Apache-2.0
// From Oniguruma's Ruby syntax (its doc/RE and doc/UNICODE_PROPERTIES) to PCRE2's (its pcre2pattern
// page). The two differ in what \s, \w, \h and \b are, in how groups set options and in how
// properties are called; character classes with && are refused.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "regard/platform/error.h"
#include "regard/tokenizer/regex.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

// Inside brackets. White_Space, and the word characters of UTS #18.
constexpr std::string_view kSpace =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNoSpace =
    R"(\x00-\x08\x0e-\x1f\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff}\x{e000}-\x{10ffff})";
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kHex = "0-9A-Fa-f";
constexpr std::string_view kNoHex = R"(\x00-/:-@G-`g-\x{d7ff}\x{e000}-\x{10ffff})";

struct Name {
  std::string_view from, to;  // lower case without _, - and spaces; inside brackets
};

// General categories by their long names, and POSIX brackets, as Oniguruma has them for Unicode.
constexpr std::array kNames = {
    Name{"letter", R"(\p{L})"},
    Name{"casedletter", R"(\p{L&})"},
    Name{"lc", R"(\p{L&})"},
    Name{"uppercaseletter", R"(\p{Lu})"},
    Name{"lowercaseletter", R"(\p{Ll})"},
    Name{"titlecaseletter", R"(\p{Lt})"},
    Name{"modifierletter", R"(\p{Lm})"},
    Name{"otherletter", R"(\p{Lo})"},
    Name{"mark", R"(\p{M})"},
    Name{"combiningmark", R"(\p{M})"},
    Name{"nonspacingmark", R"(\p{Mn})"},
    Name{"spacingmark", R"(\p{Mc})"},
    Name{"enclosingmark", R"(\p{Me})"},
    Name{"number", R"(\p{N})"},
    Name{"decimalnumber", R"(\p{Nd})"},
    Name{"letternumber", R"(\p{Nl})"},
    Name{"othernumber", R"(\p{No})"},
    Name{"punctuation", R"(\p{P})"},
    Name{"connectorpunctuation", R"(\p{Pc})"},
    Name{"dashpunctuation", R"(\p{Pd})"},
    Name{"openpunctuation", R"(\p{Ps})"},
    Name{"closepunctuation", R"(\p{Pe})"},
    Name{"initialpunctuation", R"(\p{Pi})"},
    Name{"finalpunctuation", R"(\p{Pf})"},
    Name{"otherpunctuation", R"(\p{Po})"},
    Name{"symbol", R"(\p{S})"},
    Name{"mathsymbol", R"(\p{Sm})"},
    Name{"currencysymbol", R"(\p{Sc})"},
    Name{"modifiersymbol", R"(\p{Sk})"},
    Name{"othersymbol", R"(\p{So})"},
    Name{"separator", R"(\p{Z})"},
    Name{"spaceseparator", R"(\p{Zs})"},
    Name{"lineseparator", R"(\p{Zl})"},
    Name{"paragraphseparator", R"(\p{Zp})"},
    Name{"other", R"(\p{C})"},
    Name{"control", R"(\p{Cc})"},
    Name{"format", R"(\p{Cf})"},
    Name{"unassigned", R"(\p{Cn})"},
    Name{"privateuse", R"(\p{Co})"},
    Name{"surrogate", R"(\p{Cs})"},
    Name{"alnum", R"(\p{Alphabetic}\p{Nd})"},
    Name{"alpha", R"(\p{Alphabetic})"},
    Name{"blank", R"(\p{Zs}\t)"},
    Name{"cntrl", R"(\p{Cc})"},
    Name{"digit", R"(\p{Nd})"},
    Name{"lower", R"(\p{Lowercase})"},
    Name{"upper", R"(\p{Uppercase})"},
    Name{"punct", R"(\p{P}$+<=>^`|~)"},
    Name{"space", kSpace},
    Name{"xdigit", kHex},
    Name{"word", kWord},
    Name{"ascii", R"(\x00-\x7f)"},
    Name{"any", R"(\x00-\x{d7ff}\x{e000}-\x{10ffff})"},
};

// What stands in brackets for the property, or nothing when PCRE2 knows it by its name.
std::string_view class_of(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c != '_' && c != '-' && c != ' ') {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  const auto* found = std::find_if(kNames.begin(), kNames.end(),
                                   [&](const Name& entry) { return entry.from == plain; });
  return found == kNames.end() ? std::string_view{} : found->to;
}

constexpr int kDeepest = 50;

// Ranges of characters newer than Unicode 14 that have the property, for a PCRE2 that does not know
// them yet; one that does loses nothing. `inside` is what stands in brackets.
std::string newer_of(std::string_view inside) {
  std::string out;
  for (std::size_t at = inside.find("\\p{"); at != std::string_view::npos;
       at = inside.find("\\p{", at + 1)) {
    const std::string_view name = inside.substr(at + 3, inside.find('}', at) - at - 3);
    for (std::size_t i = 0; i < unicode_tables::kNewerCount; ++i) {
      const auto& range = unicode_tables::kNewer[i];
      const std::string_view category = range.category;
      const bool has =
          category == name || category.substr(0, 1) == name ||
          (name == "L&" && (category == "Lu" || category == "Ll" || category == "Lt")) ||
          (name == "Alphabetic" && range.also & 1) || (name == "Lowercase" && range.also & 2) ||
          (name == "Uppercase" && range.also & 4) || (name == "Han" && range.also & 8);
      if (has) {
        out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<unsigned>(range.first),
                           static_cast<unsigned>(range.last));
      }
    }
  }
  return out;
}

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& file, const std::string& key)
      : in_(pattern), file_(file), key_(key) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape(false);
      } else if (c == '[') {
        bracket();
      } else if (c == '(' && in_.substr(at_).starts_with("(?")) {
        group();
      } else {
        out_ += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  // A class in brackets, alone or as a part of the bracket that we are in. PCRE2 10.42 has no
  // nested sets, so that a negated one inside a bracket must be one property.
  void put(std::string_view inside, bool negated, bool in_bracket) {
    if (!in_bracket) {
      out_ += negated ? "[^" : "[";
      out_ += inside;
      out_ += newer_of(inside);
      out_ += ']';
    } else if (!negated) {
      out_ += inside;
      out_ += newer_of(inside);
    } else if (inside == kSpace) {
      out_ += kNoSpace;
    } else if (inside == kHex) {
      out_ += kNoHex;
    } else if (inside.starts_with("\\p{") && inside.find('}') == inside.size() - 1) {
      out_ += "\\P";
      out_ += inside.substr(2);
    } else {
      refuse("a negated class of several properties inside brackets");
    }
  }

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error::at(file_, key_, std::string("a pattern without ") + std::string(what), in_);
  }

  void boundary(bool at_one) {
    const std::string word = "[" + std::string(kWord) + newer_of(kWord) + "]";
    out_ += at_one ? "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
                   : "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
  }

  void escape(bool in_bracket) {
    if (at_ + 1 >= in_.size()) {
      out_ += '\\';
      ++at_;
      return;
    }
    const char c = in_[at_ + 1];
    at_ += 2;
    switch (c) {
      case 's':
      case 'S':
        return put(kSpace, c == 'S', in_bracket);
      case 'w':
      case 'W':
        return put(kWord, c == 'W', in_bracket);
      case 'h':
      case 'H':
        return put(kHex, c == 'H', in_bracket);
      case 'b':
      case 'B':
        if (!in_bracket) return boundary(c == 'b');
        break;
      case 'p':
      case 'P':
        return property(c == 'P', in_bracket);
      case 'u':
        return code_point();
      case 'Z':
      case 'z':
      case 'A':
      case 'G':
      case 'K':
      default:
        break;
    }
    out_ += '\\';
    out_ += c;
  }

  // \uHHHH
  void code_point() {
    const std::string_view digits = in_.substr(at_, 4);
    if (digits.size() < 4 || !std::all_of(digits.begin(), digits.end(), [](char c) {
          return std::isxdigit(static_cast<unsigned char>(c));
        })) {
      refuse("\\u without four hexadecimal digits");
    }
    out_ += "\\x{" + std::string(digits) + "}";
    at_ += 4;
  }

  void property(bool negated, bool in_bracket) {
    const std::size_t end = in_.find('}', at_);
    if (at_ >= in_.size() || in_[at_] != '{' || end == std::string_view::npos) {
      // \pL
      out_ += negated ? "\\P" : "\\p";
      return;
    }
    std::string_view name = in_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const std::string_view known = class_of(name);
    if (!known.empty()) return put(known, negated, in_bracket);
    put(std::string("\\p{") + std::string(name) + "}", negated, in_bracket);
  }

  void bracket() {
    out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
    // A closing bracket in the first place is a character.
    if (at_ < in_.size() && in_[at_] == ']') {
      out_ += "\\]";
      ++at_;
    }
    while (at_ < in_.size() && in_[at_] != ']') {
      const std::string_view rest = in_.substr(at_);
      if (rest.starts_with("[:")) {
        const std::size_t end = rest.find(":]");
        if (end != std::string_view::npos) {
          std::string_view name = rest.substr(2, end - 2);
          const bool negated = name.starts_with('^');
          if (negated) name.remove_prefix(1);
          const std::string_view known = class_of(name);
          if (!known.empty()) {
            put(known, negated, true);
            at_ += end + 2;
            continue;
          }
          if (name == "graph" || name == "print") {
            out_ += rest.substr(0, end + 2);
            at_ += end + 2;
            continue;
          }
        }
      }
      if (rest.starts_with("&&")) refuse("intersection of classes (&&)");
      if (rest[0] == '[') {
        nested();
      } else if (rest[0] == '\\') {
        escape(true);
      } else {
        out_ += in_[at_++];
      }
    }
    if (at_ < in_.size()) {
      out_ += ']';
      ++at_;
    }
  }

  // A bracket in a bracket is a union: its contents join the outer one.
  void nested() {
    if (in_.substr(at_).starts_with("[^")) refuse("a negated bracket inside brackets");
    if (++depth_ > kDeepest) refuse("more than 50 levels of brackets");
    ++at_;
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_.substr(at_).starts_with("&&")) refuse("intersection of classes (&&)");
      if (in_[at_] == '[') {
        nested();
      } else if (in_[at_] == '\\') {
        escape(true);
      } else {
        out_ += in_[at_++];
      }
    }
    if (at_ < in_.size()) ++at_;
    --depth_;
  }

  // "(?" with options: Ruby's m is PCRE2's s.
  void group() {
    out_ += "(?";
    at_ += 2;
    std::size_t end = at_;
    while (end < in_.size() &&
           (std::isalpha(static_cast<unsigned char>(in_[end])) || in_[end] == '-')) {
      ++end;
    }
    if (end == at_ || end >= in_.size() || (in_[end] != ':' && in_[end] != ')')) return;
    for (; at_ < end; ++at_) {
      const char c = in_[at_];
      if (c != 'i' && c != 'm' && c != 'x' && c != '-') refuse("group options besides i, m and x");
      out_ += c == 'm' ? 's' : c;
    }
  }

  std::string_view in_;
  const std::string &file_, &key_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string out_;
};

}  // namespace

std::string pcre2_pattern(std::string_view oniguruma, const std::string& file,
                          const std::string& key) {
  return Translator(oniguruma, file, key).run();
}

}  // namespace regard
