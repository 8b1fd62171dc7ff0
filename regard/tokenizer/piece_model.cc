// SPDX-License-Identifier: Apache-2.0
// Models with other ids, and the pieces that stand for single bytes.
#include "regard/tokenizer/piece_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace regard {
namespace {

class Renumbered : public PieceModel {
 public:
  Renumbered(std::unique_ptr<const PieceModel> model, std::vector<std::int64_t> ids,
             Vocabulary vocabulary)
      : model_(std::move(model)), ids_(std::move(ids)), vocabulary_(std::move(vocabulary)) {}
  std::string kind() const override { return model_->kind(); }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::unique_ptr<ModelMemory> memory() const override { return model_->memory(); }
  void cut(std::string_view word, ModelMemory* memory, std::vector<Piece>& out) const override {
    const std::size_t before = out.size();
    model_->cut(word, memory, out);
    for (std::size_t i = before; i < out.size(); ++i) {
      out[i].id = ids_[static_cast<std::size_t>(out[i].id)];
    }
  }

 private:
  std::unique_ptr<const PieceModel> model_;
  std::vector<std::int64_t> ids_;
  Vocabulary vocabulary_;
};

}  // namespace

std::unique_ptr<const PieceModel> make_renumbered(std::unique_ptr<const PieceModel> model,
                                                  std::vector<std::int64_t> ids,
                                                  Vocabulary vocabulary) {
  return std::make_unique<Renumbered>(std::move(model), std::move(ids), std::move(vocabulary));
}

BytePieces::BytePieces(const Vocabulary& vocabulary) {
  ids_.resize(256, -1);
  for (std::size_t b = 0; b < 256; ++b) {
    ids_[b] = vocabulary.id(fmt::format("<0x{:02X}>", b)).value_or(-1);
  }
}

bool BytePieces::spell(std::string_view bytes) const {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](char c) { return id(static_cast<unsigned char>(c)) >= 0; });
}

}  // namespace regard
