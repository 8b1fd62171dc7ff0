// SPDX-License-Identifier: Apache-2.0
// What is to be predicted: the next token, or tokens that were hidden, swapped or left (Devlin et
// al. 2019), chosen by classes of words where a file says so.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "regard/platform/json.h"
#include "regard/tokenizer/tokenizer.h"
#include "regard/training/backward.h"
#include "regard/training/corpus.h"
#include "regard/training/random.h"

namespace regard {

// A class of tokens that are corrupted alike.
struct TokenClass {
  std::vector<std::int64_t> ids;
  double choose = 0.15;  // the probability that one is to be predicted
  // Of a token that a document has several times, one place is chosen with this probability and
  // the others never; below 0: like any other. The last place comes with the probability `last`.
  double repeated = -1, last = 0.5;
  // A swapped token becomes one of these classes', by weight.
  std::vector<std::pair<std::size_t, double>> swap_with;
};

// Thread safety: read-only once made.
struct Corruption {
  std::int64_t mask = -1;              // id of the token that hides
  double masked = 0.8, swapped = 0.1;  // of the chosen; the rest stays
  std::vector<TokenClass> classes;
  std::vector<std::int32_t> class_of;  // [vocabulary], -1: never chosen
  std::int64_t unknown_words = 0;      // words of the file that are no single token
};

// Every token but special ones chosen with the probability `choose`, swapped with any. Throws
// Error when the tokenizer has no "[MASK]" or "<mask>".
Corruption plain_corruption(const Tokenizer& tokenizer, double choose);

// {"mask": 0.3, "swap": 0.5, "other": 0.0, "classes": {"noun": {"words": ["animal", ..],
//  "choose": 0.05, "repeated": 0.9, "last": 0.67, "swap_with": {"pronoun": 0.8, "noun": 0.2}}, ..}}
// other: of tokens in no class. Words that are no single token are counted and left out; the last
// class that names a word has it. Throws Error naming the key.
Corruption read_corruption(const Json& json, const Tokenizer& tokenizer);

// The documents `which` of a corpus, one after the other, with what is to be predicted.
Batch masked_batch(const Corpus& corpus, std::span<const std::int64_t> which,
                   const Corruption& corruption, Random* random);
Batch causal_batch(const Corpus& corpus, std::span<const std::int64_t> which);

}  // namespace regard
