// SPDX-License-Identifier: Apache-2.0
// What is to be predicted: the next token, or tokens that were hidden, swapped or left (Devlin et
// al. 2019), chosen by classes of words where a file says so.
#pragma once

#include <cstdint>
#include <map>
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

  // Noise: of this share of the documents, each token of some classes that is not to be predicted
  // is replaced with a probability, by the mask or by any of them, from a share of the run on.
  struct Noise {
    double documents = 0, replace = 0.25, masked = 0.3, from = 0;
    std::vector<std::int64_t> ids;
    std::vector<bool> has;  // [vocabulary]
  } noise;
  // Gaps in the positions, in this share of the batches: before each token, with a probability of 0
  // to `most` drawn for each document, a step of 1 to `longest` - 1 positions instead of 1 (after
  // Ruoss et al. 2023).
  struct Gaps {
    double batches = 0, most = 0.25;
    std::int64_t longest = 12;
  } gaps;
  // In this share of the documents one word that has a spelling is written letter by letter.
  double spelt = 0;
  std::map<std::int64_t, std::vector<std::int64_t>> spelling;
};

// Every token but special ones chosen with the probability `choose`, swapped with any. Throws
// Error when the tokenizer has no "[MASK]" or "<mask>".
Corruption plain_corruption(const Tokenizer& tokenizer, double choose);

// {"mask": 0.3, "swap": 0.5, "other": 0.0, "classes": {"noun": {"words": ["animal", ..],
//  "choose": 0.05, "repeated": 0.9, "last": 0.67, "swap_with": {"pronoun": 0.8, "noun": 0.2}}, ..},
//  "noise": {"documents": 0.4, "replace": 0.25, "mask": 0.3, "from": 0.5, "classes": ["function"],
//  "other": true}, "gaps": {"batches": 0.5, "most": 0.3, "longest": 12},
//  "spelt": {"documents": 0.03, "classes": ["noun"]}}
// other: of tokens in no class; noise, gaps and spelt may be absent. Words that are no single token
// are counted and left out; the last class that names a word has it. Throws Error naming the key.
Corruption read_corruption(const Json& json, const Tokenizer& tokenizer);

// The documents `which` of a corpus, one after the other, with what is to be predicted. done: the
// share of the run that is over.
Batch masked_batch(const Corpus& corpus, std::span<const std::int64_t> which,
                   const Corruption& corruption, double done, Random* random);
Batch causal_batch(const Corpus& corpus, std::span<const std::int64_t> which);

}  // namespace regard
