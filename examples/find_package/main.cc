// SPDX-License-Identifier: Apache-2.0
// Attention weights from elsewhere, as a map: prints one word's row and the map's largest weight.
#include <array>
#include <cstdio>
#include <exception>
#include <vector>

#include "regard/attention/attention_map.h"

int main() try {
  const std::array<const char*, 3> words = {"the", "animal", "slept"};
  // [query, key]: a row is the word that attends, a column the word attended to.
  const std::array<float, 9> weights = {0.8f,  0.15f, 0.05f,  //
                                        0.3f,  0.6f,  0.1f,   //
                                        0.05f, 0.75f, 0.2f};
  const regard::AttentionMap map(weights.data(), 3, 3);

  std::vector<float> row(3);
  map.row(2, row);
  for (std::size_t k = 0; k < row.size(); ++k) {
    std::printf("%s -> %s %.2f\n", words[2], words[k], row[k]);
  }
  const auto tile = map.tile({0, 3, 0, 3}, 1, regard::Pool::kMax);
  std::printf("largest %.2f\n", tile.cells[0]);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
