// SPDX-License-Identifier: Apache-2.0
// What the golden tests of this floor share: lines, texts and digests of tests/golden/tokenizer.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "regard/platform/json.h"

namespace regard {

inline std::string golden_folder() { return REGARD_SOURCE_DIR "/tests/golden/tokenizer/"; }

inline std::vector<std::string> golden_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The text or two texts of a line of lines.tsv.
inline std::vector<std::string> golden_texts(const std::string& line) {
  const auto unescaped = [](const std::string& text) {
    const JsonDocument document = JsonDocument::parse("\"" + text + "\"", "lines.tsv");
    return std::string(document.root().string());
  };
  const std::size_t tab = line.find('\t');
  std::vector<std::string> texts{unescaped(line.substr(0, tab))};
  if (tab != std::string::npos) texts.push_back(unescaped(line.substr(tab + 1)));
  return texts;
}

// The 64-bit FNV-1a hash, in hexadecimal.
inline std::string golden_digest(const std::string& text) {
  std::uint64_t value = 14695981039346656037U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return fmt::format("{:016x}", value);
}

}  // namespace regard
