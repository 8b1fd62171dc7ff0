// SPDX-License-Identifier: Apache-2.0
// The grammar of the lesson's language. Numbers are probabilities, chosen so that every form is
// common enough to be learned.
#include "grammar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace regard::lesson {
namespace {

const std::vector<std::string> kNegations = {"didn't",   "did not",   "couldn't", "could not",
                                             "wouldn't", "would not", "never"};
const std::vector<std::string> kModals = {"didn't",    "did not",  "couldn't",
                                          "could not", "wouldn't", "would not"};
// Clauses of reason, by how often they come; those of contrast turn the reason round.
const std::vector<std::string> kReasonClauses = {
    "because", "because", "because", "because", "because", "because", "as",
    "as",      "for",     "when",    ";",       ".",       "."};
const std::vector<std::string> kContrastClauses = {"but", "although", "though"};

bool is_contrast(const std::string& clause) {
  return clause == "but" || clause == "although" || clause == "though";
}

bool may_be_fronted(const std::string& clause) {
  return clause == "because" || clause == "as" || clause == "when" || clause == "although" ||
         clause == "since" || clause == "while";
}

bool is_punctuation(const std::string& word) {
  return word.size() == 1 && std::string_view(".,;:-").find(word[0]) != std::string_view::npos;
}

}  // namespace

struct Grammar::Phrase {
  Noun noun;
  bool plural = false;
  std::string pronoun;
  const std::string& text() const { return plural ? noun.plural : noun.singular; }
};

Random::Random(std::uint64_t seed) {
  next();
  state_ += seed;
  next();
}

std::uint32_t Random::next() {
  const std::uint64_t old = state_;
  state_ = old * 6364136223846793005ULL + 1442695040888963407ULL;
  const auto mixed = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
  const auto turn = static_cast<std::uint32_t>(old >> 59);
  return (mixed >> turn) | (mixed << ((32 - turn) & 31));
}

std::size_t Random::below(std::size_t n) {
  const auto bound = static_cast<std::uint32_t>(n);
  const std::uint32_t least = (0U - bound) % bound;
  while (true)
    if (const std::uint32_t drawn = next(); drawn >= least) return drawn % bound;
}

bool Random::chance(double probability) { return next() < probability * 4294967296.0; }

Grammar::Phrase Grammar::noun(const std::vector<int>& categories, double plural) {
  Phrase phrase;
  const Category& category =
      lexicon_.categories[static_cast<std::size_t>(random_.pick(categories))];
  phrase.noun = random_.pick(category.nouns);
  const bool living = category.name == "animal" || category.pronoun != "it";
  phrase.plural = !phrase.noun.plural.empty() && random_.chance(living ? 0.6 * plural : plural);
  phrase.pronoun = phrase.plural                ? "they"
                   : category.pronoun == "they" ? (random_.chance(0.5) ? "he" : "she")
                                                : category.pronoun;
  return phrase;
}

void Grammar::put(const std::string& text, Tag tag) {
  std::size_t from = 0;
  while (true) {
    const std::size_t blank = text.find(' ', from);
    document_.words.push_back({text.substr(from, blank - from), tag});
    if (blank == std::string::npos) return;
    from = blank + 1;
  }
}

void Grammar::put_noun(const Phrase& phrase, Tag tag, bool definite) {
  if (!phrase.noun.plural.empty() && random_.chance(keep_article_)) {
    static const std::vector<std::string> kSingular = {"this", "that", "my", "our", "your", "a"};
    static const std::vector<std::string> kPlural = {"these", "those", "some", "many",
                                                     "two",   "my",    "our",  ""};
    std::string article = "the";
    if (!definite && random_.chance(0.25))
      article = random_.pick(phrase.plural ? kPlural : kSingular);
    const bool attribute = !definite && random_.chance(0.06 * style_.adjuncts);
    const std::string adjective =
        attribute ? random_.pick(lexicon_.lists.at("attribute")) : std::string();
    const char first = attribute ? adjective[0] : phrase.text()[0];
    if (article == "a" && std::string_view("aeiou").find(first) != std::string_view::npos)
      article = "an";
    if (!article.empty()) put(article);
    if (attribute) put(adjective);
  }
  put(phrase.text(), tag);
}

// A phrase that lengthens the sentence: a time, a place with a noun, a relative clause.
void Grammar::put_adjunct(const std::vector<int>& categories) {
  if (random_.chance(0.3)) {
    put(random_.pick(lexicon_.lists.at("time")));
  } else if (random_.chance(0.8)) {
    put(random_.pick(lexicon_.lists.at("place")));
    put_noun(noun(categories, 0.3), Tag::kNone);
  } else {
    const Frame& frame = random_.pick(lexicon_.frames);
    put(random_.chance(0.5) ? "that" : "which");
    put_noun(noun(frame.subjects, 0.3), Tag::kNone);
    put("had " + random_.pick(frame.verbs).participle);
  }
}

void Grammar::put_adjuncts(const std::vector<int>& categories, double expected) {
  expected *= style_.adjuncts;
  while (expected > 0) {
    if (random_.chance(std::min(1.0, expected))) put_adjunct(categories);
    expected -= 1;
  }
}

void Grammar::put_ordinary() {
  const Frame& frame = random_.pick(lexicon_.frames);
  const bool of_object = random_.chance(0.5);
  const Phrase subject = noun(frame.subjects, 0.4), object = noun(frame.objects, 0.4);
  const std::vector<int>& around = random_.chance(0.5) ? frame.subjects : frame.objects;
  switch (random_.below(6)) {
    case 0:
    case 1: {  // The horse was tired.
      const Phrase& one = of_object ? object : subject;
      const Reason& reason = random_.pick(frame.reasons[random_.below(2)][of_object]);
      put_noun(one, Tag::kNone);
      if (!reason.action) {
        std::string link = random_.pick(lexicon_.lists.at("link"));
        if (link == "was" && one.plural) link = "were";
        put(link);
        if (random_.chance(0.4)) put(random_.pick(lexicon_.lists.at("degree")));
      }
      put(reason.text);
      break;
    }
    case 2:  // The horse waited.
      put_noun(subject, Tag::kNone);
      put(random_.pick(lexicon_.lists.at("alone")));
      break;
    case 3:  // There was a horse.
      put(object.plural ? "there were" : "there was");
      put_noun(object, Tag::kNone);
      break;
    default: {
      const Verb& verb = random_.pick(frame.verbs);
      put_noun(subject, Tag::kNone);
      if (random_.chance(0.3)) {
        put("and");
        put_noun(noun(frame.subjects, 0.4), Tag::kNone);
      }
      put(verb.past);
      if (!verb.preposition.empty()) put(verb.preposition);
      put_noun(object, Tag::kNone);
    }
  }
  put_adjuncts(around, 0.7);
  if (random_.chance(0.1)) put("since the morning");
  put(".");
}

void Grammar::put_main(const Frame& frame, const Verb& verb, bool done, bool passive,
                       const Phrase& subject, const Phrase& object, bool on_object) {
  const double each = style_.distractors;
  // Distractors are of the antecedent's class more often than of the other's.
  const auto around = [&]() -> const std::vector<int>& {
    const bool same = random_.chance(0.65);
    return same == on_object ? frame.objects : frame.subjects;
  };
  const Phrase& first = passive ? object : subject;
  const Phrase& second = passive ? subject : object;
  const auto tag = [&](bool object_side) {
    return object_side == on_object ? Tag::kAntecedent : Tag::kOther;
  };
  put_noun(first, tag(passive));
  put_adjuncts(around(), 0.45 * each);
  if (passive) {
    if (done) {
      put(first.plural ? "were" : "was");
    } else if (random_.chance(0.5)) {
      put(random_.pick(kModals) == "didn't" ? (first.plural ? "weren't" : "wasn't")
                                            : (first.plural ? "were not" : "was not"));
    } else {
      std::string modal = random_.pick(kModals);
      if (modal.starts_with("did")) modal = "could not";
      put(modal + " be");
    }
    put(verb.participle + " by");
  } else {
    if (!done) {
      const std::string negation = random_.pick(kNegations);
      put(negation);
      put(negation == "never" ? verb.past : verb.base);
    } else if (random_.chance(0.2)) {
      put("could " + verb.base);
    } else {
      put(verb.past);
    }
    if (!verb.preposition.empty()) put(verb.preposition);
  }
  put_noun(second, tag(!passive));
  // The far test asks for more than training ever gives.
  put_adjuncts(around(), style_.least_distance > 20
                             ? 5.0 + 2.0 * static_cast<double>(random_.below(3))
                             : 0.8 * each);
}

void Grammar::put_reason(const Phrase& antecedent, const Reason& reason, bool fronted) {
  if (repeat_) {
    put(antecedent.text(), Tag::kPronoun);
  } else {
    put(antecedent.pronoun, Tag::kPronoun);
  }
  if (!reason.action) {
    std::string link = "was";
    if (!random_.chance(0.3)) link = random_.pick(lexicon_.lists.at("link"));
    if (link == "was" && antecedent.plural) link = "were";
    put(link);
    if (random_.chance(0.8)) put(random_.pick(lexicon_.lists.at("degree")));
  }
  put(reason.text, Tag::kProperty);
  if (random_.chance(0.12 * style_.adjuncts)) put(random_.pick(lexicon_.lists.at("time")));
  put(fronted ? "," : ".");
}

void Grammar::put_pronoun_sentence() {
  std::vector<const Frame*> allowed;
  const bool role = random_.chance(style_.role_frames);
  for (const Frame& frame : lexicon_.frames)
    if (frame.role == role) allowed.push_back(&frame);
  const Frame& frame = *random_.pick(allowed);
  const bool on_object = random_.chance(0.5), done = random_.chance(0.35);
  Phrase subject, object;
  do {
    subject = noun(frame.subjects, 0.4);
    object = noun(frame.objects, 0.4);
  } while (object.noun.singular == subject.noun.singular ||
           (style_.same_pronoun && object.pronoun != subject.pronoun));
  std::string clause;
  if (!style_.clauses.empty()) {
    clause = random_.pick(style_.clauses);
  } else {
    clause = !frame.role && random_.chance(0.12) ? random_.pick(kContrastClauses)
                                                 : random_.pick(kReasonClauses);
  }
  const Phrase& antecedent = on_object ? object : subject;
  const Reason& reason = random_.pick(frame.reasons[done != is_contrast(clause)][on_object]);
  const Verb& verb = random_.pick(frame.verbs);
  const bool passive = verb.preposition.empty() && random_.chance(style_.passive);
  const bool fronted = may_be_fronted(clause) && random_.chance(style_.fronted);
  document_.frame = frame.name;
  document_.clause = clause;
  document_.subject = subject.noun.singular;
  document_.object = object.noun.singular;
  document_.property = reason.text;
  document_.on_object = on_object;

  if (random_.chance(0.1 * style_.adjuncts)) {
    put(random_.pick(lexicon_.lists.at("time")));
    if (random_.chance(0.5)) put(",");
  }
  if (fronted) {
    put(clause);
    put_reason(antecedent, reason, true);
    put_main(frame, verb, done, passive, subject, object, on_object);
    put(".");
  } else {
    put_main(frame, verb, done, passive, subject, object, on_object);
    if (!is_punctuation(clause) && random_.chance(clause == "because" ? 0.1 : 0.4)) put(",");
    put(clause);
    put_reason(antecedent, reason, false);
  }
}

Document Grammar::make(const Style& style) {
  style_ = style;
  document_ = {};
  keep_article_ = 1;
  if (random_.chance(style.few_articles)) keep_article_ = random_.chance(0.5) ? 0.0 : 0.6;
  repeat_ = random_.chance(style.repeat);
  if (!random_.chance(style.pronoun_documents)) {
    put_ordinary();
    if (random_.chance(0.5)) put_ordinary();
    return document_;
  }
  if (random_.chance(style.extra_sentence)) put_ordinary();
  put_pronoun_sentence();
  if (random_.chance(style.extra_sentence)) put_ordinary();

  const auto find = [&](Tag tag) {
    const auto at = std::find_if(document_.words.begin(), document_.words.end(),
                                 [&](const Word& word) { return word.tag == tag; });
    return static_cast<int>(at - document_.words.begin());
  };
  document_.distance = std::abs(find(Tag::kPronoun) - find(Tag::kAntecedent));
  const Word& antecedent = document_.words[static_cast<std::size_t>(find(Tag::kAntecedent))];
  // Distractors: nouns of the antecedent's class and number that are neither of the two.
  const std::string& lemma = document_.on_object ? document_.object : document_.subject;
  for (const Category& category : lexicon_.categories) {
    const bool own = std::any_of(category.nouns.begin(), category.nouns.end(),
                                 [&](const Noun& one) { return one.singular == lemma; });
    if (!own) continue;
    for (const Noun& one : category.nouns)
      for (const Word& word : document_.words)
        if (word.tag == Tag::kNone &&
            word.text == (antecedent.text == lemma ? one.singular : one.plural))
          ++document_.distractors;
    break;
  }
  return document_;
}

std::string text_of(const Document& document, std::vector<std::size_t>* begin) {
  std::string text;
  begin->clear();
  bool starts = true;
  for (const Word& word : document.words) {
    if (!text.empty() && (!is_punctuation(word.text) || word.text == "-")) text += ' ';
    begin->push_back(text.size());
    std::string shown = word.text;
    if (starts && shown[0] >= 'a' && shown[0] <= 'z')
      shown[0] = static_cast<char>(shown[0] - 'a' + 'A');
    text += shown;
    starts = word.text == ".";
  }
  return text;
}

}  // namespace regard::lesson
