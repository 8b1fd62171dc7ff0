// SPDX-License-Identifier: Apache-2.0
// Reads lexicon.txt, whose first lines describe it.
#include "lexicon.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string_view>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"

namespace regard::lesson {
namespace {

constexpr std::string_view kLists[] = {"link",      "degree", "time", "place",
                                       "attribute", "alone",  "other"};
// What the grammar itself says.
constexpr std::string_view kGrammar =
    "the a an this that these those my our your some many two was were didn't did not couldn't "
    "could wouldn't would never wasn't weren't been had be by who which there near and so because "
    "as for when while since but although though";

bool is_vowel(char c) { return std::string_view("aeiou").find(c) != std::string_view::npos; }

bool ends_in_consonant_y(const std::string& word) {
  return word.size() > 1 && word.back() == 'y' && !is_vowel(word[word.size() - 2]);
}

std::string plural_of(const std::string& noun) {
  if (ends_in_consonant_y(noun)) return noun.substr(0, noun.size() - 1) + "ies";
  for (const std::string_view hiss : {"s", "x", "z", "ch", "sh"})
    if (noun.ends_with(hiss)) return noun + "es";
  return noun + "s";
}

std::string past_of(const std::string& verb) {
  if (verb.ends_with('e')) return verb + "d";
  if (ends_in_consonant_y(verb)) return verb.substr(0, verb.size() - 1) + "ied";
  return verb + "ed";
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

std::string blanks(std::string text) {
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

class Reader {
 public:
  Reader(const std::string& path, Lexicon* lexicon) : path_(path), lexicon_(lexicon) {}

  void read() {
    std::istringstream in(read_text_file(path_, std::size_t{1} << 20));
    for (std::string line; std::getline(in, line);) {
      ++line_;
      const std::vector<std::string> fields = split(line, ' ');
      if (fields.empty() || fields[0].front() == '#') continue;
      read_line(fields);
    }
    for (const Frame& frame : lexicon_->frames)
      for (const auto& polarity : frame.reasons)
        for (const auto& reasons : polarity)
          if (reasons.empty() || frame.verbs.empty())
            fail("verbs and four lists of reasons", "frame " + frame.name);
    for (const std::string_view list : kLists)
      if (lexicon_->lists[std::string(list)].empty()) fail(std::string(list), "no such list");
    for (const char* pronoun : {"it", "he", "she", "they"}) lexicon_->words[pronoun] = "pronoun";
    for (const char* be : {"was", "were"}) lexicon_->words[be] = "be";
    add_words(std::string(kGrammar), "function");
  }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& found) const {
    throw Error::at(path_, fmt::format("line {}", line_), expected, found);
  }

  void add_words(const std::string& text, const std::string& part) {
    std::string low = blanks(text);
    for (char& c : low)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const std::string& word : split(low, ' ')) lexicon_->words.try_emplace(word, part);
  }

  int category(const std::string& name) const {
    const auto& all = lexicon_->categories;
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const Category& one) { return one.name == name; });
    if (at == all.end()) fail("a class of nouns", name);
    return static_cast<int>(at - all.begin());
  }

  std::vector<int> categories(const std::string& names) const {
    std::vector<int> found;
    for (const std::string& name : split(names, ',')) found.push_back(category(name));
    return found;
  }

  void read_line(const std::vector<std::string>& fields) {
    const std::string& kind = fields[0];
    const std::vector<std::string> rest(fields.begin() + 1, fields.end());
    if (kind == "noun") {
      read_nouns(rest);
    } else if (kind == "verb:") {
      read_verbs(rest);
    } else if (kind == "frame") {
      if (rest.size() != 3 && !(rest.size() == 4 && rest[3] == "role"))
        fail("frame NAME SUBJECTS OBJECTS [role]", fmt::format("{}", fmt::join(fields, " ")));
      lexicon_->frames.push_back(
          {rest[0], categories(rest[1]), categories(rest[2]), {}, {}, rest.size() == 4});
    } else if (kind.ends_with(':')) {
      const std::string name = kind.substr(0, kind.size() - 1);
      if (std::find(std::begin(kLists), std::end(kLists), name) == std::end(kLists))
        fail(fmt::format("one of {}", fmt::join(kLists, ", ")), name);
      for (const std::string& one : rest) {
        lexicon_->lists[name].push_back(blanks(one));
        add_words(one, name == "attribute"                 ? "property"
                       : name == "alone" || name == "link" ? "verb"
                                                           : "function");
      }
    } else {
      read_frame_line(kind, rest);
    }
  }

  void read_nouns(const std::vector<std::string>& rest) {
    if (rest.size() < 3 || !rest[1].ends_with(':')) fail("noun CLASS PRONOUN: nouns", rest[0]);
    Category one{rest[0], rest[1].substr(0, rest[1].size() - 1), {}};
    const int index = static_cast<int>(lexicon_->categories.size());
    for (std::size_t i = 2; i < rest.size(); ++i) {
      const std::vector<std::string> forms = split(rest[i], '/');
      const bool proper = forms[0].front() >= 'A' && forms[0].front() <= 'Z';
      Noun noun{forms[0], forms.size() > 1 ? forms[1] : plural_of(forms[0]), index};
      if (proper) noun.plural.clear();
      add_words(noun.singular, "noun");
      add_words(noun.plural, "noun");
      one.nouns.push_back(noun);
    }
    lexicon_->categories.push_back(std::move(one));
  }

  void read_verbs(const std::vector<std::string>& rest) {
    for (const std::string& text : rest) {
      const std::vector<std::string> forms = split(text, '/');
      Verb verb{forms[0], forms.size() > 1 ? forms[1] : past_of(forms[0]), {}, {}};
      verb.participle = forms.size() > 2 ? forms[2] : verb.past;
      add_words(verb.base, "verb");
      add_words(verb.past, "verb");
      add_words(verb.participle, "verb");
      verbs_[verb.base] = verb;
    }
  }

  void read_frame_line(const std::string& kind, const std::vector<std::string>& rest) {
    if (lexicon_->frames.empty()) fail("a frame first", kind);
    Frame& frame = lexicon_->frames.back();
    if (kind == "do") {
      for (const std::string& text : rest) {
        const std::vector<std::string> parts = split(text, '_');
        const auto found = verbs_.find(parts[0]);
        if (found == verbs_.end()) {
          if (parts.size() > 1) fail("a verb of the list", parts[0]);
          read_verbs({parts[0]});
        }
        frame.verbs.push_back(verbs_.at(parts[0]));
        if (parts.size() > 1) {
          frame.verbs.back().preposition = parts[1];
          add_words(parts[1], "function");
        }
      }
      return;
    }
    const bool yes = kind.starts_with("yes-"), object = kind.ends_with("-object");
    if (!(yes || kind.starts_with("no-")) || !(object || kind.ends_with("-subject")))
      fail("noun, verb, frame, do, no-subject, no-object, yes-subject or yes-object", kind);
    for (const std::string& text : rest) {
      const bool action = text.ends_with('!');
      const std::string word = action ? text.substr(0, text.size() - 1) : text;
      add_words(word, action ? "verb" : "property");
      frame.reasons[yes][object].push_back({blanks(word), action});
    }
  }

  std::string path_;
  Lexicon* lexicon_;
  int line_ = 0;
  std::map<std::string, Verb> verbs_;
};

}  // namespace

Lexicon Lexicon::read(const std::string& path) {
  Lexicon lexicon;
  Reader(path, &lexicon).read();
  return lexicon;
}

}  // namespace regard::lesson
