// SPDX-License-Identifier: Apache-2.0
// The words of the lesson's language, read from lexicon.txt.
// Thread safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace regard::lesson {

struct Noun {
  std::string singular, plural;  // plural empty: a proper name
  int category = 0;              // index into Lexicon::categories
};

struct Category {
  std::string name, pronoun;  // it, he, she; they: he or she, as it comes
  std::vector<Noun> nouns;
};

struct Verb {
  std::string base, past, participle;
  std::string preposition;  // "hide behind"; then without passive
};

// A property, or an action when `action`; several words are joined by blanks.
struct Reason {
  std::string text;
  bool action = false;
};

// Who does what to whom, and why.
struct Frame {
  std::string name;
  std::vector<int> subjects, objects;  // categories
  std::vector<Verb> verbs;
  // [was it done][reason lies in the object]
  std::array<std::array<std::vector<Reason>, 2>, 2> reasons;
  bool role = false;  // either noun could have the property: only its role tells
};

struct Lexicon {
  std::vector<Category> categories;
  std::vector<Frame> frames;
  // link, degree, time, place, attribute, alone, other
  std::map<std::string, std::vector<std::string>> lists;
  // Every word in lower case with its part of speech: noun, verb, property, pronoun, be, function.
  std::map<std::string, std::string> words;

  // Throws Error naming file, line and what is wrong.
  static Lexicon read(const std::string& path);
};

}  // namespace regard::lesson
