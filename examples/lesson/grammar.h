// SPDX-License-Identifier: Apache-2.0
// Sentences of the lesson's language: a pronoun (or the noun again in its place), the noun that it
// stands for, and the property or action from which that follows.
// Thread safety: plain values; a Grammar serves one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lexicon.h"

namespace regard::lesson {

// PCG32 (O'Neill 2014): the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint32_t next();
  // 0 to n - 1, without bias. REQUIRES: n > 0.
  std::size_t below(std::size_t n);
  bool chance(double probability);
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  std::uint64_t state_ = 0;
};

enum class Tag { kNone, kPronoun, kAntecedent, kProperty, kOther };

struct Word {
  std::string text;
  Tag tag = Tag::kNone;
};

struct Document {
  std::vector<Word> words;  // punctuation is a word
  std::string frame, clause;
  std::string subject, object, property;  // the words by which a document is held out
  bool on_object = false;                 // the antecedent is the object
  int distance = 0;                       // words from pronoun to antecedent; 0: no pronoun
  int distractors = 0;                    // nouns of the antecedent's class and pronoun
};

// What a corpus is made of; the defaults are the training corpus.
struct Style {
  double pronoun_documents = 0.9;  // the others are ordinary sentences
  double role_frames = 0.7;
  double extra_sentence = 0.12;
  double distractors = 0.6;  // one or two, in adjuncts
  double adjuncts = 1;       // factor on everything that lengthens a sentence
  double passive = 0.2, fronted = 0.12;
  double few_articles = 0.7;  // half of these lose all, half each with 0.4
  double repeat = 0.7;        // the noun, without article, in place of the pronoun
  bool same_pronoun = false;  // subject and object take one pronoun
  bool want_distractor = false;
  int least_distance = 1, most_distance = 22;
  std::vector<std::string> clauses;  // empty: those of training
};

class Grammar {
 public:
  Grammar(const Lexicon& lexicon, std::uint64_t seed) : lexicon_(lexicon), random_(seed) {}
  // Of any distance and any words: corpus.cc keeps what it may.
  Document make(const Style& style);

 private:
  struct Phrase;
  Phrase noun(const std::vector<int>& categories, double plural);
  void put(const std::string& text, Tag tag = Tag::kNone);
  void put_noun(const Phrase& phrase, Tag tag, bool definite = false);
  void put_adjunct(const std::vector<int>& categories);
  void put_adjuncts(const std::vector<int>& categories, double expected);
  void put_ordinary();
  void put_main(const Frame& frame, const Verb& verb, bool done, bool passive,
                const Phrase& subject, const Phrase& object, bool on_object);
  void put_reason(const Phrase& antecedent, const Reason& reason, bool fronted);
  void put_pronoun_sentence();

  const Lexicon& lexicon_;
  Random random_;
  Style style_;
  double keep_article_ = 1;
  bool repeat_ = false;
  Document document_;
};

// The words as text, with capitals and punctuation in place; begin: the byte where each word does.
std::string text_of(const Document& document, std::vector<std::size_t>* begin);

}  // namespace regard::lesson
