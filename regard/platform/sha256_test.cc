// SPDX-License-Identifier: Apache-2.0
// Expected hashes: the examples of FIPS 180-4 and those of sha256sum.
#include "regard/platform/sha256.h"

#include <gtest/gtest.h>

#include <string_view>

namespace regard {
namespace {

std::string hash(std::string_view text, std::size_t step = 1000) {
  Sha256 sha;
  for (std::size_t at = 0; at < text.size(); at += step) {
    const std::string_view part = text.substr(at, step);
    sha.add(std::as_bytes(std::span(part.data(), part.size())));
  }
  return sha.finish();
}

TEST(Sha256, GivesTheHashesOfTheStandard) {
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnThePartsThatItIsGiven) {
  const std::string text(200, 'x');
  for (std::size_t length : {55u, 56u, 63u, 64u, 65u, 119u, 120u, 200u})
    for (std::size_t step : {1u, 7u, 64u})
      EXPECT_EQ(hash(text.substr(0, length), step), hash(text.substr(0, length))) << length;
  EXPECT_EQ(hash(text.substr(0, 56)),
            "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
}

}  // namespace
}  // namespace regard
