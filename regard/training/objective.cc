// SPDX-License-Identifier: Apache-2.0
// Choosing what is predicted.
#include "regard/training/objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "regard/platform/error.h"

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

void start_text(const Corpus& corpus, std::int64_t document, Batch* batch) {
  const auto begin = corpus.ids.begin() + corpus.starts[static_cast<std::size_t>(document)];
  batch->input.starts.push_back(std::ssize(batch->input.ids));
  batch->input.ids.insert(batch->input.ids.end(), begin, begin + corpus.length(document));
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
  const std::vector<std::int64_t>& ids = c.classes[chosen].ids;
  return ids[static_cast<std::size_t>(random->below(std::ssize(ids)))];
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
  refuse_others(json, {"mask", "swap", "other", "classes"});
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
  return c;
}

Batch masked_batch(const Corpus& corpus, std::span<const std::int64_t> which, const Corruption& c,
                   Random* random) {
  Batch batch;
  std::vector<std::int64_t>& ids = batch.input.ids;
  for (const std::int64_t document : which) {
    start_text(corpus, document, &batch);
    const auto begin = static_cast<std::size_t>(batch.input.starts.back());
    const std::vector<std::int64_t> text(ids.begin() + batch.input.starts.back(), ids.end());
    const std::vector<double> chances = chances_of(text, c, random);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (chances[i] == 0 || random->uniform() >= chances[i]) continue;
      batch.position.push_back(static_cast<std::int64_t>(begin + i));
      batch.target.push_back(text[i]);
      const double draw = random->uniform();
      const std::int32_t own = c.class_of[static_cast<std::size_t>(text[i])];
      if (draw < c.masked)
        ids[begin + i] = c.mask;
      else if (draw < c.masked + c.swapped)
        ids[begin + i] = swapped(c, c.classes[static_cast<std::size_t>(own)], random);
    }
  }
  return batch;
}

Batch causal_batch(const Corpus& corpus, std::span<const std::int64_t> which) {
  Batch batch;
  for (const std::int64_t document : which) {
    start_text(corpus, document, &batch);
    for (std::int64_t i = batch.input.starts.back(); i + 1 < std::ssize(batch.input.ids); ++i) {
      batch.position.push_back(i);
      batch.target.push_back(batch.input.ids[static_cast<std::size_t>(i) + 1]);
    }
  }
  return batch;
}

}  // namespace regard
