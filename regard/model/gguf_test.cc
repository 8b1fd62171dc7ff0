// SPDX-License-Identifier: Apache-2.0
// Real quantised models against what transformers says of them: the sentence "The animal didn't
// cross the street because it was too tired." in the ids of each model's own tokenizer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "regard/model/generation.h"
#include "regard/model/golden.h"

namespace regard {
namespace {

// A file named by an environment variable, else the test is skipped.
class Gguf : public testing::Test {
 protected:
  Trace run(const char* variable, const std::vector<std::int64_t>& ids) {
    Trace trace;
    const char* file = std::getenv(variable);
    if (file == nullptr || *file == '\0') return trace;
    Recorder recorder(&trace);
    ModelInput input;
    input.ids = ids;
    Model::open(file).forward(input, &recorder);
    return trace;
  }
};

const std::vector<std::int64_t> kSmolLm2 = {504, 3161, 3683, 982,  3050,  260, 7280,
                                            975, 357,  436,  1147, 12364, 30};

TEST_F(Gguf, SmolLm2LinksItAndTiredToAnimal) {
  const Trace trace = run("REGARD_SMOLLM2", kSmolLm2);
  if (trace.layers.empty()) GTEST_SKIP() << "REGARD_SMOLLM2 names no file";
  const AttentionMap map = trace.map({13, 8});
  EXPECT_NEAR(map.cell(8, 1), 0.7496, 5e-4);   // it -> animal
  EXPECT_NEAR(map.cell(11, 1), 0.4048, 5e-4);  // tired -> animal
  EXPECT_NEAR(map.cell(11, 8), 0.4117, 5e-4);  // tired -> it
}

const std::vector<std::int64_t> kGemma3 = {2,    818,  7626, 3782, 236789, 236745, 4071,  506,
                                           7363, 1547, 625,  691,  2311,   20718,  236761};

TEST_F(Gguf, Gemma3LinksItAndTiredToAnimal) {
  const Trace trace = run("REGARD_GEMMA3", kGemma3);
  if (trace.layers.empty()) GTEST_SKIP() << "REGARD_GEMMA3 names no file";
  EXPECT_NEAR(trace.map({7, 0}).cell(10, 2), 0.3856, 5e-4);  // it -> animal
  EXPECT_NEAR(trace.map({4, 0}).cell(13, 2), 0.4266, 5e-4);  // tired -> animal
}

// Greedy, by transformers from the dequantised model.
TEST_F(Gguf, SmolLm2ContinuesAsTransformersDoes) {
  const char* file = std::getenv("REGARD_SMOLLM2");
  if (file == nullptr || *file == '\0') GTEST_SKIP() << "REGARD_SMOLLM2 names no file";
  ModelInput input;
  input.ids = kSmolLm2;
  EXPECT_EQ(
      generate(Model::open(file), input, {.tokens = 12}),
      (std::vector<std::int64_t>{198, 198, 504, 2798, 6330, 314, 253, 8170, 1183, 282, 253, 9619}));
}

}  // namespace
}  // namespace regard
