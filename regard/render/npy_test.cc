// SPDX-License-Identifier: Apache-2.0
// Tests of .npy files against bytes written by hand after numpy/lib/format.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "regard/platform/error.h"
#include "regard/render/data.h"

namespace regard {
namespace {

using ::testing::HasSubstr;

std::string npy_file(int version, const std::string& dictionary, const std::string& data) {
  std::string bytes("\x93NUMPY", 6);
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes += static_cast<char>(dictionary.size() >> (8 * i) & 255);
  }
  return bytes + dictionary + data;
}

std::string header(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

class NpyFile : public testing::Test {
 protected:
  NpyArray read(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return read_npy(path_);
  }
  std::string error_of(const std::string& bytes) {
    try {
      read(bytes);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string path_ = testing::TempDir() + "regard_npy_" +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".npy";
};

TEST_F(NpyFile, FortranOrderBigEndianIsReadInCOrder) {
  const NpyArray array = read(
      npy_file(1, header(">i2", "True", "(2, 3)"), std::string("\0\1\0\4\0\2\0\5\0\3\0\6", 12)));
  EXPECT_EQ(array.shape, (Shape{2, 3}));
  EXPECT_EQ(array.data, (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST_F(NpyFile, VersionsTwoAndThreeHaveALongHeaderLength) {
  for (const int version : {2, 3}) {
    const NpyArray array =
        read(npy_file(version, header("|u1", "False", "(2,)"), std::string("\1\2")));
    EXPECT_EQ(array.data, (std::vector<float>{1, 2})) << version;
  }
}

TEST_F(NpyFile, HalvesAndDoublesBecomeFloats) {
  // IEEE 754: binary16 0x3c00 is 1, 0xc100 is -2.5; binary64 0x3fd0... is 0.25.
  EXPECT_EQ(
      read(npy_file(1, header("<f2", "False", "(2,)"), std::string("\x00\x3c\x00\xc1", 4))).data,
      (std::vector<float>{1, -2.5f}));
  EXPECT_EQ(
      read(npy_file(1, header("<f8", "False", "(1,)"), std::string("\0\0\0\0\0\0\xd0\x3f", 8)))
          .data,
      (std::vector<float>{0.25f}));
}

TEST_F(NpyFile, EveryHalfIsReadWithItsSignAndInEitherOrder) {
  // IEEE 754 binary16: the least and the largest subnormal, the largest number, infinity, NaN, -0.
  const std::string little("\x01\x00\xff\x03\xff\x7b\x00\xfc\x01\x7e\x00\x80", 12);
  std::string big;
  for (std::size_t i = 0; i < little.size(); i += 2) big += {little[i + 1], little[i]};
  for (const bool swapped : {false, true}) {
    const std::vector<float> found =
        read(npy_file(1, header(swapped ? ">f2" : "<f2", "False", "(6,)"), swapped ? big : little))
            .data;
    ASSERT_EQ(found.size(), 6u);
    EXPECT_EQ(found[0], 0x1p-24f);
    EXPECT_EQ(found[1], 1023 * 0x1p-24f);
    EXPECT_EQ(found[2], 65504.0f);
    EXPECT_EQ(found[3], -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(found[4]));
    EXPECT_TRUE(found[5] == 0.0f && std::signbit(found[5]));
  }
}

TEST_F(NpyFile, AnEmptyArrayMayHaveAxesOfAnySize) {
  for (const char* order : {"False", "True"}) {
    const NpyArray array = read(
        npy_file(1, header("<f4", order, "(0, 4611686018427387904, 4611686018427387904)"), ""));
    EXPECT_TRUE(array.data.empty());
    EXPECT_EQ(array.shape, (Shape{0, std::int64_t{1} << 62, std::int64_t{1} << 62}));
  }
}

TEST_F(NpyFile, AScalarHasNoAxes) {
  const NpyArray array =
      read(npy_file(1, header("<i4", "False", "()"), std::string("\7\0\0\0", 4)));
  EXPECT_TRUE(array.shape.empty());
  EXPECT_EQ(array.data, (std::vector<float>{7}));
}

TEST_F(NpyFile, ErrorsNameTheFileAndThePlace) {
  const std::string good = npy_file(1, header("|u1", "False", "(2,)"), "\1\2");
  EXPECT_EQ(error_of(good), "no error");
  EXPECT_THAT(error_of("not an array"), HasSubstr(path_ + ": byte 0"));
  EXPECT_THAT(error_of(good.substr(0, good.size() - 1)), HasSubstr("2 elements of 1 bytes"));
  EXPECT_THAT(error_of(good + "x"), HasSubstr("found 3 bytes"));
  EXPECT_THAT(error_of(npy_file(4, header("|u1", "False", "(2,)"), "\1\2")),
              HasSubstr("version 1.0, 2.0 or 3.0, found 4.0"));
  EXPECT_THAT(error_of(npy_file(1, header("|O", "False", "(2,)"), "\1\2")), HasSubstr("descr"));
  EXPECT_THAT(error_of(npy_file(1, "{'descr': '|u1', 'shape': (2,)}", "\1\2")),
              HasSubstr("fortran_order"));
  EXPECT_THAT(error_of(npy_file(1, header("|u1", "False", "(4611686018427387904, 4)"), "")),
              testing::Not(HasSubstr("no error")));
  EXPECT_THAT(error_of(npy_file(1, header("|u1", "False", "(-1,)"), "")), HasSubstr("byte "));
  EXPECT_THAT(error_of(good.substr(0, 9)), HasSubstr("byte 6"));
  EXPECT_THAT(error_of(good.substr(0, 20)), HasSubstr("header"));
}

TEST(Npy, HeaderEndsOnAMultipleOf64) {
  const std::int64_t shape[] = {3};
  const std::string header = npy_header(shape);
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(header.substr(10, 56), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), ");
  EXPECT_EQ(header.back(), '\n');
}

// Layers 1 and 4, each with heads 0 and 2, of given weights: 100 layer + 10 head + place.
Trace given_weights(std::vector<float>* store) {
  Trace trace;
  for (const int layer : {1, 4}) {
    for (const int head : {0, 2}) {
      for (int i = 0; i < 4; ++i) store->push_back(static_cast<float>(100 * layer + 10 * head + i));
    }
  }
  std::size_t at = 0;
  for (const int id : {1, 4}) {
    LayerTrace layer;
    layer.layer = id;
    layer.head_ids = {0, 2};
    layer.queries = layer.keys = 2;
    layer.weights = {DType::kF32, {2, 2, 2}, reinterpret_cast<const std::byte*>(&(*store)[at])};
    trace.layers.emplace(id, layer);
    at += 8;
  }
  return trace;
}

TEST(Npy, WritesLayerHeadQueryKeyWhateverTheOrderOfTheHeads) {
  std::vector<float> store;
  store.reserve(16);
  const Trace trace = given_weights(&store);
  std::string bytes;
  write_npy(trace, {{4, 2}, {1, 0}, {4, 0}, {1, 2}}, [&](std::string_view part) { bytes += part; });
  const std::size_t data = 10 + static_cast<unsigned char>(bytes[8]) +
                           256 * static_cast<std::size_t>(static_cast<unsigned char>(bytes[9]));
  EXPECT_THAT(bytes.substr(0, data), HasSubstr("'shape': (2, 2, 2, 2)"));
  ASSERT_EQ(bytes.size(), data + 64);
  std::vector<float> values(16);
  std::memcpy(values.data(), bytes.data() + data, 64);
  EXPECT_EQ(values, (std::vector<float>{100, 101, 102, 103, 120, 121, 122, 123, 400, 401, 402, 403,
                                        420, 421, 422, 423}));
}

TEST(Npy, HeadsThatFillNoRectangleOfLayersAndHeadsAreAnError) {
  std::vector<float> store;
  store.reserve(16);
  const Trace trace = given_weights(&store);
  const Sink nowhere = [](std::string_view) {};
  EXPECT_THROW(write_npy(trace, {{1, 0}, {4, 2}}, nowhere), Error);
  EXPECT_THROW(write_npy(trace, {{1, 0}, {1, 0}}, nowhere), Error);
  EXPECT_THROW(write_npy(trace, {}, nowhere), Error);
}

}  // namespace
}  // namespace regard
