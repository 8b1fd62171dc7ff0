// SPDX-License-Identifier: Apache-2.0
// Each decoder as the tokenizers library has it (its src/decoders and the decoders of its models).
#include "regard/tokenizer/decoder.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/normalizer.h"
#include "regard/tokenizer/text_budget.h"

namespace regard {
namespace {

using Pieces = std::vector<std::string>;

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t found = std::min(from.empty() ? text.npos : text.find(from, at), text.size());
    out += text.substr(at, found - at);
    if (found == text.size()) break;
    out += to;
    at = found + from.size();
  }
  return out;
}

// English put together again.
std::string cleaned(std::string text) {
  for (const auto& [from, to] :
       std::initializer_list<std::pair<const char*, const char*>>{{" .", "."},
                                                                  {" ?", "?"},
                                                                  {" !", "!"},
                                                                  {" ,", ","},
                                                                  {" ' ", "'"},
                                                                  {" n't", "n't"},
                                                                  {" 'm", "'m"},
                                                                  {" do not", " don't"},
                                                                  {" 's", "'s"},
                                                                  {" 've", "'ve"},
                                                                  {" 're", "'re"}})
    text = replaced(text, from, to);
  return text;
}

std::string fused(const Pieces& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

void apply(const BpeDecoder& decoder, Pieces& pieces) {
  for (std::size_t i = 0; i < pieces.size(); ++i)
    pieces[i] = replaced(pieces[i], decoder.suffix, i + 1 == pieces.size() ? "" : " ");
}

void apply(const ByteLevelDecoder&, Pieces& pieces) {
  std::string all, bytes;
  for (const std::string& piece : pieces) {
    bytes.clear();
    all += bytes_of(piece, bytes) ? bytes : piece;
  }
  pieces = {mend_utf8(all, nullptr)};
}

void apply(const WordPieceDecoder& decoder, Pieces& pieces) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string& piece = pieces[i];
    if (i > 0) {
      if (piece.starts_with(decoder.prefix)) {
        piece.erase(0, decoder.prefix.size());
      } else {
        piece.insert(0, " ");
      }
    }
    if (decoder.cleanup) piece = cleaned(std::move(piece));
  }
}

void apply(const MetaspaceDecoder& decoder, Pieces& pieces) {
  for (std::size_t i = 0; i < pieces.size(); ++i)
    pieces[i] = replaced(pieces[i], decoder.replacement, i == 0 && decoder.prepended ? "" : " ");
}

void apply(const CtcDecoder& decoder, Pieces& pieces) {
  pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
  for (std::string& piece : pieces) {
    piece = replaced(piece, decoder.pad, "");
    if (decoder.cleanup) piece = replaced(cleaned(std::move(piece)), decoder.delimiter, " ");
  }
  std::erase(pieces, "");
}

// Several of these can make a text longer and longer, as far as the budget goes.
void apply(const ReplaceDecoder& decoder, Pieces& pieces, TextBudget& budget) {
  std::size_t all = 0;
  std::vector<Span> matches;
  for (std::string& piece : pieces) {
    matches.clear();
    decoder.pattern.find(piece, matches, budget);
    all += piece.size() + matches.size() * decoder.content.size();
    budget.demand(all);
    std::string out;
    std::size_t at = 0;
    for (const Span match : matches) {
      out += std::string_view(piece).substr(at, match.start - at);
      out += decoder.content;
      at = match.end;
    }
    piece = out + piece.substr(at);
  }
}

void apply(const FuseDecoder&, Pieces& pieces) { pieces = {fused(pieces)}; }

void apply(const StripDecoder& decoder, Pieces& pieces) {
  for (std::string& piece : pieces) {
    for (std::size_t i = 0; i < decoder.start && piece.starts_with(decoder.content); ++i)
      piece.erase(0, decoder.content.size());
    for (std::size_t i = 0; i < decoder.stop && piece.ends_with(decoder.content); ++i)
      piece.erase(piece.size() - decoder.content.size());
  }
}

// The byte of "<0x41>".
std::optional<char> byte_of(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : piece.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'F';
    if (!digit && !upper && !(c >= 'a' && c <= 'f')) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return static_cast<char>(value);
}

// A run of bytes is a text, or as many U+FFFD as bytes.
void apply(const ByteFallbackDecoder&, Pieces& pieces) {
  Pieces out;
  std::string run;
  const auto end_run = [&] {
    if (run.empty()) return;
    std::size_t wrong = 0;
    mend_utf8(run, &wrong);
    if (wrong == 0) {
      out.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
    }
    run.clear();
  };
  for (std::string& piece : pieces) {
    if (const std::optional<char> byte = byte_of(piece)) {
      run += *byte;
      continue;
    }
    end_run();
    out.push_back(std::move(piece));
  }
  end_run();
  pieces = std::move(out);
}

}  // namespace

std::string decode_pieces(std::vector<std::string> pieces,
                          const std::optional<std::vector<Decoder>>& decoders,
                          const std::string& file) {
  if (!decoders) {
    for (std::size_t i = 1; i < pieces.size(); ++i) pieces[i].insert(0, " ");
    return fused(pieces);
  }
  std::size_t size = 0;
  for (const std::string& piece : pieces) size += piece.size();
  TextBudget budget(size, file);
  for (const Decoder& decoder : *decoders)
    std::visit(
        [&]<typename One>(const One& one) {
          if constexpr (std::is_same_v<One, ReplaceDecoder>)
            apply(one, pieces, budget);
          else
            apply(one, pieces);
        },
        decoder);
  return fused(pieces);
}

std::vector<Decoder> sentencepiece_decoders(bool prefixed) {
  std::vector<Decoder> out = {ReplaceDecoder{Regex::literal("\xE2\x96\x81"), " "},
                              ByteFallbackDecoder{}, FuseDecoder{}};
  if (prefixed) out.emplace_back(StripDecoder{" ", 1, 0});
  return out;
}

}  // namespace regard
