// SPDX-License-Identifier: Apache-2.0
// Losses, gradients and steps against PyTorch's in double precision
// (tools/make_training_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"
#include "regard/platform/threads.h"
#include "regard/training/backward.h"
#include "regard/training/optimizer.h"
#include "regard/training/trainable.h"

namespace regard {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(REGARD_SOURCE_DIR) / "tests" / "golden";

struct Golden {
  explicit Golden(const std::string& name)
      : file(SafetensorsFile::open((kGolden / "training" / (name + ".safetensors")).string())),
        model((kGolden / file.metadata().at("model")).string()) {
    batch.input.ids = integers("ids");
    batch.input.starts = integers("starts");
    batch.position = integers("position");
    batch.target = integers("target");
  }
  std::vector<std::int64_t> integers(const std::string& name) const {
    return numbers<std::int64_t>(name, DType::kI64);
  }
  template <typename T>
  std::vector<T> numbers(const std::string& name, DType type) const {
    const TensorView view = file.at(name, type, Shape{-1});
    std::vector<T> values(static_cast<std::size_t>(view.size()));
    std::memcpy(values.data(), view.data, values.size() * sizeof(T));
    return values;
  }
  float mean() const { return 1.0f / static_cast<float>(batch.position.size()); }

  SafetensorsFile file;
  std::string model;
  Batch batch;
};

class Training : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, Training, testing::Values("bert", "modernbert", "gpt2", "llama"),
                         [](const auto& name) { return name.param; });

TEST_P(Training, FirstGradientsEqualPyTorchOnEveryInstructionSet) {
  const Golden golden(GetParam());
  const double expected_loss = golden.numbers<double>("losses", DType::kF64)[0];
  for (const std::string& set : instruction_sets()) {
    SCOPED_TRACE(set);
    force_instruction_set(set);
    Trainable model = Trainable::open(golden.model);
    Gradients gradients(&model);
    const double loss = gradients.add(golden.batch, golden.mean()) * golden.mean();
    force_instruction_set("");
    EXPECT_NEAR(loss, expected_loss, 1e-5 * expected_loss);
    std::size_t compared = 0;
    for (const Parameter& parameter : model.parameters()) {
      const TensorView view =
          golden.file.at("gradient." + parameter.name, DType::kF32, parameter.shape);
      std::vector<float> expected(static_cast<std::size_t>(view.size()));
      convert_to_f32(view, expected);
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const float found = model.gradients()[static_cast<std::size_t>(parameter.offset) + i];
        difference += std::pow(static_cast<double>(found) - static_cast<double>(expected[i]), 2);
        size += std::pow(static_cast<double>(expected[i]), 2);
      }
      // A key's bias changes no weight: its gradient is rounding alone.
      EXPECT_LE(std::sqrt(difference), 1e-5 * std::sqrt(size) + 1e-6) << parameter.name;
      ++compared;
    }
    std::size_t known = 0;
    for (const auto& [name, view] : golden.file.tensors()) known += name.starts_with("gradient.");
    EXPECT_EQ(compared, known);
  }
}

TEST_P(Training, TwentyStepsOfAdamWFollowPyTorch) {
  const Golden golden(GetParam());
  const auto losses = golden.numbers<double>("losses", DType::kF64);
  const auto norms = golden.numbers<double>("norms", DType::kF64);
  Trainable model = Trainable::open(golden.model);
  Gradients gradients(&model);
  AdamW optimizer(&model, {.beta2 = 0.98, .decay = 0.1});
  const ScheduleOptions schedule{.rate = 3e-3, .warm_up = 5, .steps = 20};
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const double loss = gradients.add(golden.batch, golden.mean()) * golden.mean();
    EXPECT_NEAR(loss, losses[step], 1e-4) << step;
    const double norm = optimizer.step(rate_at(schedule, static_cast<std::int64_t>(step) + 1));
    EXPECT_NEAR(norm, norms[step], 1e-3 * norms[step]) << step;
  }
  EXPECT_NEAR(loss_of(model.model(), golden.batch) * golden.mean(),
              gradients.add(golden.batch, golden.mean()) * golden.mean(), 1e-9);
}

TEST_P(Training, IsTheSameBitsForAnyNumberOfThreads) {
  const Golden golden(GetParam());
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    Trainable model = Trainable::open(golden.model);
    Gradients gradients(&model);
    AdamW optimizer(&model, {});
    for (int step = 0; step < 3; ++step) {
      gradients.add(golden.batch, golden.mean());
      optimizer.step(1e-3);
    }
    results.emplace_back(model.values().begin(), model.values().end());
  }
  set_thread_count(0);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

// Gradients of a batch are the sum of those of its texts.
TEST_P(Training, GradientsAccumulate) {
  const Golden golden(GetParam());
  Trainable whole = Trainable::open(golden.model), parts = Trainable::open(golden.model);
  const double loss = Gradients(&whole).add(golden.batch, 0.5f);
  Gradients gradients(&parts);
  double sum = 0;
  const auto& starts = golden.batch.input.starts;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int64_t end =
        i + 1 < starts.size() ? starts[i + 1] : std::ssize(golden.batch.input.ids);
    Batch one;
    one.input.ids.assign(golden.batch.input.ids.begin() + starts[i],
                         golden.batch.input.ids.begin() + end);
    for (std::size_t k = 0; k < golden.batch.position.size(); ++k)
      if (golden.batch.position[k] >= starts[i] && golden.batch.position[k] < end) {
        one.position.push_back(golden.batch.position[k] - starts[i]);
        one.target.push_back(golden.batch.target[k]);
      }
    if (!one.position.empty()) sum += gradients.add(one, 0.5f);
  }
  EXPECT_NEAR(sum, loss, 1e-5 * loss);
  for (std::size_t i = 0; i < whole.gradients().size(); ++i)
    ASSERT_NEAR(whole.gradients()[i], parts.gradients()[i],
                2e-4 * (1 + std::abs(whole.gradients()[i])));
}

// Central differences along the gradient.
TEST(TrainingPositions, WithGapsHaveGradientsThatPredictTheLoss) {
  Golden golden("llama");
  Batch& batch = golden.batch;
  for (std::size_t i = 0, text = 0; i < batch.input.ids.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    if (text + 1 < batch.input.starts.size() && at == batch.input.starts[text + 1]) ++text;
    batch.input.positions.push_back(3 * (at - batch.input.starts[text]) + at % 2);
  }
  Trainable model = Trainable::open(golden.model);
  const double loss = Gradients(&model).add(batch, golden.mean());
  double square = 0;
  for (const float g : model.gradients()) square += static_cast<double>(g) * static_cast<double>(g);
  const double length = std::sqrt(square);
  const std::vector<float> begin(model.values().begin(), model.values().end());
  const auto at = [&](double step) {
    for (std::size_t i = 0; i < begin.size(); ++i)
      model.values()[i] =
          begin[i] + static_cast<float>(step / length * static_cast<double>(model.gradients()[i]));
    return loss_of(model.model(), batch) * static_cast<double>(golden.mean());
  };
  EXPECT_NEAR(at(0), loss * static_cast<double>(golden.mean()), 1e-6);
  const double step = 2e-3;
  EXPECT_NEAR((at(step) - at(-step)) / (2 * step), length, 2e-3 * length);
  batch.input.positions.clear();
  EXPECT_GT(std::abs(at(0) - loss * static_cast<double>(golden.mean())), 1e-3);
}

TEST_P(Training, ASavedModelOpensWithTheSameBits) {
  const Golden golden(GetParam());
  Trainable model = Trainable::open(golden.model);
  Gradients gradients(&model);
  gradients.add(golden.batch, golden.mean());
  AdamW(&model, {}).step(1e-2);
  const TemporaryFolder folder;
  model.save(folder.path().string());
  Trainable again = Trainable::open(folder.path().string());
  EXPECT_TRUE(std::equal(model.values().begin(), model.values().end(), again.values().begin(),
                         again.values().end()));
  const Model opened = Model::open(folder.path().string());
  EXPECT_EQ(loss_of(opened, golden.batch), loss_of(model.model(), golden.batch));
}

TEST_P(Training, ANewModelHasTheParametersOfTransformers) {
  const Golden golden(GetParam());
  const Trainable opened = Trainable::open(golden.model);
  Random random(1);
  Trainable made = Trainable::create(opened.config(), {.embedding = 0.1f}, &random);
  ASSERT_EQ(made.parameters().size(), opened.parameters().size());
  for (std::size_t i = 0; i < made.parameters().size(); ++i) {
    const Parameter& parameter = made.parameters()[i];
    EXPECT_EQ(parameter.name, opened.parameters()[i].name);
    EXPECT_EQ(parameter.shape, opened.parameters()[i].shape);
    double square = 0;
    const auto values =
        made.values().subspan(static_cast<std::size_t>(parameter.offset),
                              static_cast<std::size_t>(element_count(parameter.shape)));
    for (const float x : values) square += static_cast<double>(x) * static_cast<double>(x);
    const double deviation = std::sqrt(square / static_cast<double>(values.size()));
    const double expected = parameter.role == Role::kEmbedding ? 0.1
                            : parameter.role == Role::kGain    ? 1.0
                            : parameter.role == Role::kBias    ? 0.0
                            : parameter.role == Role::kWeight
                                ? 0.02
                                : 0.02 / std::sqrt(2.0 * made.model().spec().layers);
    EXPECT_NEAR(deviation, expected, 0.15 * expected) << parameter.name;
  }
}

TEST(TrainingErrors, NameWhatIsNoNumber) {
  const Golden golden("bert");
  Trainable model = Trainable::open(golden.model);
  Gradients gradients(&model);
  gradients.add(golden.batch, golden.mean());
  const Parameter& parameter = model.parameters()[9];
  model.gradients()[static_cast<std::size_t>(parameter.offset) + 3] = NAN;
  AdamW optimizer(&model, {});
  const std::vector<float> before(model.values().begin(), model.values().end());
  try {
    optimizer.step(1e-3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(parameter.name), std::string::npos) << error.what();
  }
  EXPECT_TRUE(std::equal(before.begin(), before.end(), model.values().begin()));
}

TEST(TrainingErrors, RefuseArchitecturesWhoseGradientsAreNotKnown) {
  for (const char* name :
       {"t5", "gemma2", "gpt_oss", "mixtral", "qwen3", "deberta", "albert", "phi", "cohere"}) {
    EXPECT_THROW(Trainable::open((kGolden / "models" / name).string()), Error) << name;
  }
}

TEST(Schedule, WarmsUpHoldsAndFalls) {
  const ScheduleOptions cosine{.rate = 2, .warm_up = 4, .steps = 100, .hold = 0.5, .last = 0.1};
  EXPECT_DOUBLE_EQ(rate_at(cosine, 1), 0.5);
  EXPECT_DOUBLE_EQ(rate_at(cosine, 4), 2);
  EXPECT_DOUBLE_EQ(rate_at(cosine, 50), 2);
  EXPECT_DOUBLE_EQ(rate_at(cosine, 75), 2 * (0.1 + 0.9 * 0.5));
  EXPECT_NEAR(rate_at(cosine, 100), 0.2, 1e-12);
  ScheduleOptions linear = cosine;
  linear.curve = Curve::kLinear;
  EXPECT_DOUBLE_EQ(rate_at(linear, 60), 2 * (0.1 + 0.9 * 0.8));
  // The fall begins where the rise ends.
  linear.hold = 0;
  EXPECT_DOUBLE_EQ(rate_at(linear, 4), 2);
  EXPECT_DOUBLE_EQ(rate_at(linear, 52), 2 * (0.1 + 0.9 * 0.5));
  linear.hold = 1;
  EXPECT_DOUBLE_EQ(rate_at(linear, 100), 2);
}

}  // namespace
}  // namespace regard
