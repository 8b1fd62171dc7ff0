// SPDX-License-Identifier: Apache-2.0
// Choosing what is predicted.
#include "regard/training/objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

std::int64_t mask_of(const Tokenizer& tokenizer) {
  for (const char* name : {"[MASK]", "<mask>"})
    if (const auto id = tokenizer.id(name)) return *id;
  throw Error(
      "tokenizer: expected a token [MASK] or <mask>, which masked training hides others "
      "with, found neither");
}

// Every token that is not special: the class of those that no other names.
TokenClass everything(const Tokenizer& tokenizer, double choose) {
  TokenClass all;
  all.choose = choose;
  for (std::int64_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    if (tokenizer.piece(id) && !tokenizer.is_special(id)) all.ids.push_back(id);
  return all;
}

double share(Json json, std::string_view key, double fallback) {
  const auto value = json.find(key);
  if (!value) return fallback;
  if (!(value->number() >= 0 && value->number() <= 1)) throw value->wrong("a number of 0 to 1");
  return value->number();
}

void refuse_others(Json json, const std::vector<std::string_view>& known) {
  json.for_each_member([&](std::string_view key, Json value) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw value.wrong(fmt::format("no such key; known are {}", fmt::join(known, ", ")));
  });
}

std::vector<std::int64_t> text_of(const Corpus& corpus, std::int64_t document) {
  const auto begin = corpus.ids.begin() + corpus.starts[static_cast<std::size_t>(document)];
  return {begin, begin + corpus.length(document)};
}

void add_text(std::span<const std::int64_t> text, Batch* batch) {
  batch->input.starts.push_back(std::ssize(batch->input.ids));
  batch->input.ids.insert(batch->input.ids.end(), text.begin(), text.end());
}

std::int64_t any_of(const std::vector<std::int64_t>& ids, Random* random) {
  return ids[static_cast<std::size_t>(random->below(std::ssize(ids)))];
}

// One word of the text, at all of its places, letter by letter.
std::vector<std::int64_t> spelt(std::span<const std::int64_t> text, const Corruption& c,
                                Random* random) {
  std::vector<std::int64_t> known;
  for (const std::int64_t id : text)
    if (c.spelling.contains(id)) known.push_back(id);
  if (known.empty()) return {text.begin(), text.end()};
  const std::int64_t word = any_of(known, random);
  const std::vector<std::int64_t>& letters = c.spelling.at(word);
  std::vector<std::int64_t> out;
  for (const std::int64_t id : text)
    if (id == word)
      out.insert(out.end(), letters.begin(), letters.end());
    else
      out.push_back(id);
  return out;
}

// The probability of each token of a text to be chosen.
std::vector<double> chances_of(std::span<const std::int64_t> text, const Corruption& c,
                               Random* random) {
  std::vector<double> chances(text.size());
  std::map<std::int64_t, std::vector<std::size_t>> places;  // of tokens that may be repeated
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::int32_t own = c.class_of[static_cast<std::size_t>(text[i])];
    if (own < 0) continue;
    const TokenClass& kind = c.classes[static_cast<std::size_t>(own)];
    chances[i] = kind.choose;
    if (kind.repeated >= 0) places[text[i]].push_back(i);
  }
  for (const auto& [id, at] : places) {
    if (at.size() < 2) continue;
    const std::int32_t own = c.class_of[static_cast<std::size_t>(id)];
    const TokenClass& kind = c.classes[static_cast<std::size_t>(own)];
    for (const std::size_t i : at) chances[i] = 0;
    const bool last = random->uniform() < kind.last;
    const auto other = static_cast<std::size_t>(random->below(std::ssize(at) - 1));
    chances[last ? at.back() : at[other]] = kind.repeated;
  }
  return chances;
}

std::int64_t swapped(const Corruption& c, const TokenClass& kind, Random* random) {
  double total = 0;
  for (const auto& [other, weight] : kind.swap_with) total += weight;
  double draw = random->uniform() * total;
  std::size_t chosen = kind.swap_with.back().first;
  for (const auto& [other, weight] : kind.swap_with) {
    draw -= weight;
    if (draw < 0) {
      chosen = other;
      break;
    }
  }
  return any_of(c.classes[chosen].ids, random);
}

// Positions of the texts of a batch, some of them left out.
void add_gaps(const Corruption::Gaps& gaps, Batch* batch, Random* random) {
  ModelInput& input = batch->input;
  for (std::size_t t = 0; t < input.starts.size(); ++t) {
    const std::int64_t end =
        t + 1 < input.starts.size() ? input.starts[t + 1] : std::ssize(input.ids);
    const double often = gaps.most * random->uniform();
    std::int64_t at = -1;
    for (std::int64_t i = input.starts[t]; i < end; ++i)
      input.positions.push_back(
          at += random->uniform() < often ? 1 + random->below(gaps.longest - 1) : 1);
  }
}

// Calls body with the index of each class that a list names.
void for_each_class(Json list, const std::map<std::string, std::size_t, std::less<>>& named,
                    const std::function<void(std::size_t)>& body) {
  list.for_each_element([&](std::size_t, Json name) {
    const auto found = named.find(name.string());
    if (found == named.end()) throw name.wrong("the name of a class");
    body(found->second);
  });
}

void read_noise(Json json, const std::map<std::string, std::size_t, std::less<>>& named,
                Corruption* c) {
  refuse_others(json, {"documents", "replace", "mask", "from", "classes", "other"});
  Corruption::Noise& noise = c->noise;
  noise.documents = share(json, "documents", 0.5);
  noise.replace = share(json, "replace", noise.replace);
  noise.masked = share(json, "mask", noise.masked);
  noise.from = share(json, "from", 0);
  std::vector<bool> wanted(c->classes.size());
  if (const auto other = json.find("other")) wanted[0] = other->boolean();
  for_each_class(json.at("classes"), named, [&](std::size_t kind) { wanted[kind] = true; });
  noise.has.assign(c->class_of.size(), false);
  for (std::size_t id = 0; id < c->class_of.size(); ++id) {
    const std::int32_t own = c->class_of[id];
    if (own < 0 || !wanted[static_cast<std::size_t>(own)]) continue;
    noise.has[id] = true;
    noise.ids.push_back(static_cast<std::int64_t>(id));
  }
  if (noise.ids.empty()) throw json.wrong("classes with tokens");
}

// The letters of a piece, as WordPiece has them; empty: one of them is no piece.
std::vector<std::int64_t> letters_of(const Tokenizer& tokenizer, std::string_view word) {
  std::vector<std::int64_t> letters;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t size = decode_utf8(word, at).size;
    const auto id =
        tokenizer.id(std::string(at == 0 ? "" : "##") + std::string(word.substr(at, size)));
    if (!id) return {};
    letters.push_back(*id);
    at += size;
  }
  return letters;
}

}  // namespace

Corruption plain_corruption(const Tokenizer& tokenizer, double choose) {
  Corruption c;
  c.mask = mask_of(tokenizer);
  c.classes = {everything(tokenizer, choose)};
  c.classes[0].swap_with = {{0, 1.0}};
  c.class_of.assign(static_cast<std::size_t>(tokenizer.vocabulary_size()), -1);
  for (const std::int64_t id : c.classes[0].ids) c.class_of[static_cast<std::size_t>(id)] = 0;
  return c;
}

Corruption read_corruption(const Json& json, const Tokenizer& tokenizer) {
  refuse_others(json, {"mask", "swap", "other", "classes", "noise", "gaps", "spelt"});
  Corruption c = plain_corruption(tokenizer, share(json, "other", 0));
  c.masked = share(json, "mask", 0.8);
  c.swapped = share(json, "swap", 0.1);
  if (c.masked + c.swapped > 1) throw json.at("swap").wrong("no more than 1 together with mask");
  std::map<std::string, std::size_t, std::less<>> named;
  json.at("classes").for_each_member([&](std::string_view name, Json value) {
    refuse_others(value, {"words", "choose", "repeated", "last", "swap_with"});
    TokenClass kind;
    kind.choose = share(value, "choose", 0.15);
    kind.repeated = share(value, "repeated", -1);
    kind.last = share(value, "last", 0.5);
    const std::size_t own = c.classes.size();
    value.at("words").for_each_element([&](std::size_t, Json word) {
      const Encoding encoding = tokenizer.encode_plain(word.string());
      if (encoding.tokens.size() != 1 || tokenizer.is_special(encoding.tokens[0].id)) {
        ++c.unknown_words;
        return;
      }
      const std::int64_t id = encoding.tokens[0].id;
      kind.ids.push_back(id);
      c.class_of[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(own);
    });
    if (kind.ids.empty()) throw value.wrong("words of the vocabulary");
    named.emplace(name, own);
    c.classes.push_back(std::move(kind));
  });
  std::size_t own = 1;
  json.at("classes").for_each_member([&](std::string_view, Json value) {
    TokenClass& kind = c.classes[own];
    if (const auto with = value.find("swap_with"))
      with->for_each_member([&](std::string_view name, Json weight) {
        const auto found = named.find(name);
        if (found == named.end()) throw weight.wrong("the name of a class");
        if (!(weight.number() > 0)) throw weight.wrong("a number above 0");
        kind.swap_with.emplace_back(found->second, weight.number());
      });
    if (kind.swap_with.empty()) kind.swap_with = {{own, 1.0}};
    ++own;
  });
  if (const auto noise = json.find("noise")) read_noise(*noise, named, &c);
  if (const auto gaps = json.find("gaps")) {
    refuse_others(*gaps, {"batches", "most", "longest"});
    c.gaps.batches = share(*gaps, "batches", 0.5);
    c.gaps.most = share(*gaps, "most", 0.25);
    c.gaps.longest = gaps->at("longest").integer();
    if (c.gaps.longest < 2 || c.gaps.longest > 1 << 20)
      throw gaps->at("longest").wrong("a number of 2 to 1048576");
  }
  if (const auto spelling = json.find("spelt")) {
    refuse_others(*spelling, {"documents", "classes"});
    c.spelt = share(*spelling, "documents", 0);
    for_each_class(spelling->at("classes"), named, [&](std::size_t kind) {
      for (const std::int64_t id : c.classes[kind].ids)
        if (auto letters = letters_of(tokenizer, *tokenizer.piece(id)); letters.size() > 1)
          c.spelling[id] = std::move(letters);
    });
  }
  return c;
}

Batch masked_batch(const Corpus& corpus, std::span<const std::int64_t> which, const Corruption& c,
                   double done, Random* random) {
  Batch batch;
  std::vector<std::int64_t>& ids = batch.input.ids;
  for (const std::int64_t document : which) {
    std::vector<std::int64_t> text = text_of(corpus, document);
    if (c.spelt > 0 && random->uniform() < c.spelt) text = spelt(text, c, random);
    add_text(text, &batch);
    const auto begin = static_cast<std::size_t>(batch.input.starts.back());
    const std::vector<double> chances = chances_of(text, c, random);
    const bool noisy =
        c.noise.documents > 0 && done >= c.noise.from && random->uniform() < c.noise.documents;
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::int64_t& id = ids[begin + i];
      if (chances[i] > 0 && random->uniform() < chances[i]) {
        batch.position.push_back(static_cast<std::int64_t>(begin + i));
        batch.target.push_back(text[i]);
        const double draw = random->uniform();
        const std::int32_t own = c.class_of[static_cast<std::size_t>(text[i])];
        if (draw < c.masked)
          id = c.mask;
        else if (draw < c.masked + c.swapped)
          id = swapped(c, c.classes[static_cast<std::size_t>(own)], random);
      } else if (noisy && c.noise.has[static_cast<std::size_t>(text[i])] &&
                 random->uniform() < c.noise.replace) {
        id = random->uniform() < c.noise.masked ? c.mask : any_of(c.noise.ids, random);
      }
    }
  }
  if (c.gaps.batches > 0 && random->uniform() < c.gaps.batches) add_gaps(c.gaps, &batch, random);
  return batch;
}

Batch causal_batch(const Corpus& corpus, std::span<const std::int64_t> which) {
  Batch batch;
  for (const std::int64_t document : which) {
    add_text(text_of(corpus, document), &batch);
    for (std::int64_t i = batch.input.starts.back(); i + 1 < std::ssize(batch.input.ids); ++i) {
      batch.position.push_back(i);
      batch.target.push_back(batch.input.ids[static_cast<std::size_t>(i) + 1]);
    }
  }
  return batch;
}

}  // namespace regard
