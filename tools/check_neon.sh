#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the vector code and its tests for 64-bit ARM and runs them under an emulator, so that the
# NEON build is tested on a machine that has none.
#
#   tools/check_neon.sh [BUILD_FOLDER]
#
# Needs aarch64-linux-gnu-g++, qemu-aarch64 and GoogleTest's sources. Exits with 77 when one of them is
# missing, and names it, or when the machine is itself such an ARM, whose own tests are these.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build/check-neon}
googletest=/usr/src/googletest/googletest
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
if [[ $(uname -m) == aarch64 ]]; then
  echo "this machine has NEON itself"
  exit 77
fi
missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=(aarch64-linux-gnu-g++)
[[ -n $qemu ]] || missing+=(qemu-aarch64)
[[ -e $googletest/src/gtest-all.cc ]] || missing+=("$googletest")
if ((${#missing[@]})); then
  echo "not found: ${missing[*]}"
  exit 77
fi

cmake -S tools/neon -B "$build" -G Ninja -DCMAKE_BUILD_TYPE= -DCMAKE_SYSTEM_NAME=Linux \
  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -Dgoogletest="$googletest"
cmake --build "$build" -j "$(nproc)"

# One process a core, each with its share of the tests (GoogleTest's sharding).
shards=$(nproc)
pids=()
for ((shard = 0; shard < shards; ++shard)); do
  GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard REGARD_THREADS=1 \
    "$qemu" "$build/test_neon" --gtest_brief=1 &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
exit "$status"
