// SPDX-License-Identifier: Apache-2.0
// Texts to train on: files, folders and streams cut into documents, and documents as token ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

enum class DocumentRule {
  kLines,       // each line that is not empty
  kBlankLines,  // what lies between blank lines
};

// Adds the documents of `text`. Throws Error naming `file` and the byte when it is not UTF-8.
void add_documents(std::string_view text, const std::string& file, DocumentRule rule,
                   std::vector<std::string>* documents);
// The same of a file, or of all files in a folder (and those below it), in the order of their
// names. Throws Error when it cannot be read.
void add_documents_of(const std::string& path, DocumentRule rule,
                      std::vector<std::string>* documents);

// Documents as ids, one after the other.
// Thread safety: a plain value.
struct Corpus {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> starts{0};  // [documents + 1]

  std::int64_t size() const { return static_cast<std::int64_t>(starts.size()) - 1; }
  std::int64_t length(std::int64_t document) const {
    return starts[static_cast<std::size_t>(document) + 1] -
           starts[static_cast<std::size_t>(document)];
  }
  // SHA-256 of all of it, in hexadecimal.
  std::string digest() const;
};

// What was left out of documents that are too long.
struct CutOff {
  std::int64_t documents = 0, tokens = 0;
};

// Ids with the tokenizer's special tokens, documents longer than `longest` cut. Documents without
// tokens are left out.
Corpus encode(const Tokenizer& tokenizer, const std::vector<std::string>& documents,
              std::int64_t longest, CutOff* cut_off = nullptr);

// Takes this share of the documents out, spread evenly, into a second corpus. share: below 1.
Corpus split_held_out(Corpus* corpus, double share);

}  // namespace regard
