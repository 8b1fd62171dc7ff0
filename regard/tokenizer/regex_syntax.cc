// SPDX-License-Identifier: Apache-2.0
// From Oniguruma's Ruby syntax (its doc/RE) to PCRE2's (its pcre2pattern page), read as a grammar
// and written anew, so that nothing reaches PCRE2 that the two understand differently. What is not
// read here is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/regex.h"
#include "regard/tokenizer/regex_reader.h"
#include "regard/tokenizer/regex_set.h"

namespace regard {
namespace {

constexpr int kDeepest = 100;  // levels of groups and of brackets

struct Options {
  bool ignore_case = false, dot_all = false, extended = false;
};

// What a quantifier may follow.
struct Atom {
  std::string text;
  bool repeatable = true;
};

// A member of a bracket: a character, or a set.
struct Member {
  std::optional<char32_t> character;
  CharacterSet set;
  bool any_case = false;  // the same with and without (?i)
};

bool is_ascii_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string spelt(char32_t c) {
  if (is_ascii_letter(c) || is_digit(c)) return std::string(1, static_cast<char>(c));
  return fmt::format("\\x{{{:x}}}", static_cast<unsigned>(c));
}

class Translator : private PatternReader {
 public:
  using PatternReader::PatternReader;

  std::string run() {
    std::string out = alternatives({});
    if (at_ < in_.size()) refuse("a closing parenthesis without an opening one");
    if (named_ && back_references_) refuse("names of groups beside numbered back references");
    return out;
  }

 private:
  // Up to the end of the group, which is not taken.
  std::string alternatives(Options options) {
    if (++depth_ > kDeepest) refuse(fmt::format("more than {} levels", kDeepest));
    std::string out;
    while (true) {
      if (options.extended) skip_blanks();
      if (done() || in_[at_] == ')') break;
      if (take("|")) {
        out += '|';
        last_ = 0;
        continue;
      }
      if (std::optional<Atom> atom = read_atom(options)) {
        out += quantified(std::move(*atom), options);
      }
    }
    --depth_;
    return out;
  }

  std::optional<Atom> read_atom(Options options) {
    const char c = in_[at_];
    if (c == '(') return read_group(options);
    if (c == '[') {
      ++at_;
      last_ = 0;
      return Atom{read_bracket(options).pattern()};
    }
    if (c == '\\') return read_escape(options);
    if (c == '*' || c == '+' || c == '?') refuse("a quantifier with nothing before it");
    if (c == '{' && read_interval()) refuse("a quantifier with nothing before it");
    if (c == '.' || c == '^' || c == '$') {
      ++at_;
      last_ = 0;
      if (c == '.') return Atom{options.dot_all ? "(?s:.)" : "[^\\n]"};
      return Atom{std::string(1, c), false};
    }
    return literal(take_character(), options);
  }

  Atom literal(char32_t c, Options options) {
    if (!options.ignore_case) return {spelt(c)};
    if (c >= 0x80) refuse("a character beyond ASCII that is to match in any case");
    const char32_t lower = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    // These spell one character too: U+00DF, U+FB00 to U+FB06.
    const bool ligature = (last_ == 's' && (lower == 's' || lower == 't')) ||
                          (last_ == 'f' && (lower == 'f' || lower == 'i' || lower == 'l'));
    if (ligature) refuse("ss, st, ff, fi or fl in any case");
    last_ = lower;
    return {spelt(c)};
  }

  // A set that stands alone; letters of the other case do not join it.
  static Atom alone(const CharacterSet& set, Options options) {
    return {options.ignore_case ? "(?-i:" + set.pattern() + ")" : set.pattern()};
  }

  std::optional<Atom> read_escape(Options options) {
    if (at_ + 1 >= in_.size()) refuse("a backslash at its end");
    const char c = in_[at_ + 1];
    if (std::string_view("bBAzZKRNO").find(c) != std::string_view::npos) {
      at_ += 2;
      last_ = 0;
      if (c == 'b' || c == 'B') return Atom{boundary(c == 'b', options), false};
      if (c == 'R') return Atom{R"((?>\r\n|[\n-\r\x{85}\x{2028}\x{2029}]))"};
      if (c == 'N') return Atom{"[^\\n]"};
      if (c == 'O') return Atom{"(?s:.)"};
      return Atom{std::string("\\") + c, false};
    }
    if (c >= '1' && c <= '9') return back_reference();
    if (c == 'k' || c == 'g') {
      if (in_.substr(at_ + 2).starts_with('<') || in_.substr(at_ + 2).starts_with('\'')) {
        refuse("references by name (\\k, \\g)");
      }
    }
    if (c == 'X' || c == 'y' || c == 'Y' || c == 'G') refuse(fmt::format("\\{}", c));
    const Member member = escaped(false);
    if (member.character) return literal(*member.character, options);
    last_ = 0;
    return alone(member.set, options);
  }

  static std::string boundary(bool at_one, Options options) {
    const std::string word = alone(word_set(), options).text;
    return at_one ? "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
                  : "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
  }

  Atom back_reference() {
    ++at_;
    long number = 0;
    while (!done() && is_digit(static_cast<unsigned char>(in_[at_])) && number < 1000) {
      number = number * 10 + (in_[at_++] - '0');
    }
    if (number > closed_) refuse("a back reference to a group that does not stand before it");
    back_references_ = true;
    last_ = 0;
    return {fmt::format("\\g{{{}}}", number)};
  }

  // After a backslash: what is the same inside brackets and outside.
  Member escaped(bool in_bracket) {
    ++at_;
    if (done()) refuse("a backslash at its end");
    const char32_t c = take_character();
    const auto set = [&](const CharacterSet& known, char32_t negation) {
      return Member{{}, c == negation ? known.complement() : known, negation != 'W'};
    };
    switch (c) {
      case 's':
      case 'S':
        return set(space_set(), 'S');
      case 'd':
      case 'D':
        return set(digit_set(), 'D');
      case 'h':
      case 'H':
        return set(hex_set(), 'H');
      case 'w':
      case 'W':
        // In brackets without the six numbers below U+0100, as in the library.
        return set(in_bracket ? *posix_set("word") : word_set(), 'W');
      case 'p':
      case 'P':
        if (next_is("{")) return property(c == 'P');
        return {c, {}, false};
      case 't':
        return {U'\t', {}, false};
      case 'n':
        return {U'\n', {}, false};
      case 'v':
        return {U'\v', {}, false};
      case 'f':
        return {U'\f', {}, false};
      case 'r':
        return {U'\r', {}, false};
      case 'a':
        return {U'\a', {}, false};
      case 'e':
        return {U'\x1b', {}, false};
      case 'b':
        if (in_bracket) return {U'\b', {}, false};
        break;
      case 'x':
        return {hexadecimal(), {}, false};
      case 'u':
        return {digits(16, 4, 4), {}, false};
      case 'o':
        if (next_is("{")) return {braced(8), {}, false};
        break;
      case 'c':
      case 'C':
      case 'M':
        refuse("control and meta characters (\\c, \\C-, \\M-)");
      default:
        break;
    }
    if (c >= '0' && c <= '7') {
      --at_;
      return {byte(digits(8, 1, 3)), {}, false};
    }
    return {c, {}, false};
  }

  Member property(bool negated) {
    const std::size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) refuse("a property without its closing brace");
    std::string_view name = in_.substr(at_ + 1, end - at_ - 1);
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const auto known = property_set(name);
    if (!known) refuse(fmt::format("the property {}", name));
    at_ = end + 1;
    return {{}, negated ? known->complement() : *known, false};
  }

  // After the opening bracket, up to behind the closing one.
  CharacterSet read_bracket(Options options) {
    if (++depth_ > kDeepest) refuse(fmt::format("more than {} levels", kDeepest));
    const bool negated = take("^");
    CharacterSet here;
    std::optional<CharacterSet> all;  // the sides of && so far
    bool empty = true;
    for (bool first = true; first || !next_is("]"); first = false) {
      if (done()) refuse("a bracket that is not closed");
      if (take("&&")) {
        if (empty) refuse("a side of && that is empty");
        all = all ? all->intersection(here) : here;
        here = {};
        empty = true;
        continue;
      }
      read_member(here, options);
      empty = false;
    }
    ++at_;
    if (empty) refuse("a side of && that is empty");
    if (all) here = all->intersection(here);
    --depth_;
    return negated ? here.complement() : here;
  }

  void read_member(CharacterSet& out, Options options) {
    const Member member = read_single(options);
    if (options.ignore_case && !member.any_case &&
        (!member.character || *member.character >= 0x80)) {
      refuse("sets in brackets, besides \\s, \\d and \\h and ASCII, that are to match in any case");
    }
    if (!member.character) {
      out.add(member.set);
      if (next_is("-") && !next_is("-]")) refuse("a hyphen behind a set in brackets");
      return;
    }
    const auto hyphen = [&] { return next_is("-") && !next_is("-]") && !next_is("-&&"); };
    if (!hyphen()) {
      out.inside += spelt(*member.character);
      return;
    }
    ++at_;
    const Member last = read_single(options);
    if (!last.character) refuse("a range that ends in a set");
    if (options.ignore_case && *last.character >= 0x80) {
      refuse("a character beyond ASCII that is to match in any case");
    }
    if (*last.character < *member.character) refuse("a range that ends before it begins");
    out.inside += spelt(*member.character) + "-" + spelt(*last.character);
    // A hyphen behind a range is one.
    if (hyphen()) {
      ++at_;
      out.inside += "\\x{2d}";
    }
  }

  Member read_single(Options options) {
    if (done()) refuse("a bracket that is not closed");
    if (in_[at_] == '\\') return escaped(true);
    if (in_[at_] != '[') return {take_character(), {}, false};
    if (next_is("[:")) {
      const std::size_t end = in_.find(":]", at_);
      if (end != std::string_view::npos) {
        std::string_view name = in_.substr(at_ + 2, end - at_ - 2);
        const bool negated = name.starts_with('^');
        if (negated) name.remove_prefix(1);
        const auto known = posix_set(name);
        if (!known) refuse(fmt::format("the bracket [:{}:]", name));
        at_ = end + 2;
        return {{}, negated ? known->complement() : *known, false};
      }
    }
    ++at_;
    return {{}, read_bracket(options), false};
  }

  std::optional<Atom> read_group(Options options) {
    if (next_is("(*")) refuse("callouts (*)");
    if (take("(?#")) {
      const std::size_t end = in_.find(')', at_);
      if (end == std::string_view::npos) refuse("a comment that is not closed");
      at_ = end + 1;
      return std::nullopt;
    }
    for (const std::string_view open : {"(?=", "(?!", "(?<=", "(?<!"}) {
      if (take(open)) {
        last_ = 0;
        Atom atom = closed(std::string(open), options);
        last_ = 0;
        atom.repeatable = false;
        return atom;
      }
    }
    for (const std::string_view open : {"(?:", "(?>"}) {
      if (take(open)) return closed(std::string(open), options);
    }
    for (const auto& [open, close] : {std::pair{"(?<", '>'}, std::pair{"(?'", '\''}}) {
      if (!take(open)) continue;
      const std::size_t end = in_.find(close, at_);
      if (end == std::string_view::npos) refuse("a group's name that is not closed");
      at_ = end + 1;
      named_ = true;
      return closed("(?:", options);
    }
    if (take("(?")) return read_options(options);
    ++at_;
    Atom atom = closed("(", options);
    ++closed_;
    return atom;
  }

  Atom closed(const std::string& open, Options options) {
    std::string out = open + alternatives(options);
    if (!take(")")) refuse("a group that is not closed");
    return {out + ")"};
  }

  // "(?imx-imx)", which reaches to the end of the group that it stands in, and "(?imx-imx:...)".
  Atom read_options(Options options) {
    bool on = true;
    for (; !done() && in_[at_] != ')' && in_[at_] != ':'; ++at_) {
      switch (in_[at_]) {
        case '-':
          on = false;
          break;
        case 'i':
          options.ignore_case = on;
          break;
        case 'm':
          options.dot_all = on;
          break;
        case 'x':
          options.extended = on;
          break;
        default:
          refuse(
              "groups that begin with (? besides those of options i, m and x, look-around, "
              "atomic and named ones");
      }
    }
    const std::string open = options.ignore_case ? "(?i:" : "(?-i:";
    if (take(":")) return closed(open, options);
    if (!take(")")) refuse("a group that is not closed");
    return {open + alternatives(options) + ")"};
  }

  std::string quantified(Atom atom, Options options) {
    for (bool again = false;; again = true) {
      if (options.extended) skip_blanks();
      std::string quantifier;
      if (!done() && (in_[at_] == '*' || in_[at_] == '+' || in_[at_] == '?')) {
        quantifier = in_[at_++];
        if (next_is("?") || next_is("+")) quantifier += in_[at_++];
      } else if (next_is("{")) {
        const auto interval = read_interval();
        if (!interval) return atom.text;
        const auto [low, high, exact] = *interval;
        quantifier = exact      ? fmt::format("{{{}}}", low)
                     : high < 0 ? fmt::format("{{{},}}", low)
                                : fmt::format("{{{},{}}}", low, high);
        // {n}? is an optional {n}, {n,m}+ a repeated one.
        if (!exact && next_is("?")) quantifier += in_[at_++];
      } else {
        return atom.text;
      }
      if (!atom.repeatable) refuse("a quantifier behind an anchor or a look-around");
      last_ = 0;
      atom.text = (again ? "(?:" + atom.text + ")" : atom.text) + quantifier;
    }
  }

  int depth_ = 0;
  long closed_ = 0;  // numbered groups that are closed
  bool named_ = false, back_references_ = false;
  char32_t last_ = 0;  // the character before, in lower case, where any case matches
};

}  // namespace

std::string pcre2_pattern(std::string_view oniguruma, const std::string& file,
                          const std::string& key) {
  return Translator(oniguruma, file, key).run();
}

}  // namespace regard
