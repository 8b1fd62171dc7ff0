#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the project needs and the machine lacks, with apt-get. Looks for the commands and
# files themselves, not for package names: a tool that came from elsewhere counts.
#
#   tools/install_dependencies.sh run      what building and running the program needs
#   tools/install_dependencies.sh python   what fetching Python packages needs
#   tools/install_dependencies.sh check    all of that, and what the tests need
set -euo pipefail

case "${1:-}" in run | python | check) what=$1 ;; *)
  echo "usage: tools/install_dependencies.sh run|python|check" >&2
  exit 2
  ;;
esac

missing=()
command_of() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
header() { [[ -e /usr/include/$1 || -e /usr/local/include/$1 ]] || missing+=("$2"); }
file_of() { [[ -e $1 ]] || missing+=("$2"); }

if [[ $what != python ]]; then
  command_of g++ g++
  command_of cmake cmake
  command_of ninja ninja-build
  command_of pkg-config pkg-config
  header hwy/highway.h libhwy-dev
  header simdjson.h libsimdjson-dev
  header nlohmann/json.hpp nlohmann-json3-dev
  header unicode/uversion.h libicu-dev
  header fmt/format.h libfmt-dev
  header pcre2.h libpcre2-dev
  header CLI/CLI.hpp libcli11-dev
  [[ -e /usr/include/curl/curl.h ]] || pkg-config --exists libcurl 2>/dev/null ||
    missing+=(libcurl4-openssl-dev)
  header pango-1.0/pango/pangocairo.h libpango1.0-dev
  header cairo/cairo.h libcairo2-dev
  file_of /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
  file_of /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf fonts-noto-core
  file_of /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
fi
if [[ $what != run ]]; then
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
fi
if [[ $what == check ]]; then
  command_of git git
  command_of ccache ccache
  header gtest/gtest.h libgtest-dev
  header gmock/gmock.h libgmock-dev
  header benchmark/benchmark.h libbenchmark-dev
  command_of pdftoppm poppler-utils
  command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
    command_of google-chrome chromium
  command_of node nodejs
  command_of npm npm
  if [[ $(uname -m) != aarch64 ]]; then
    command_of aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
    command_of qemu-aarch64 qemu-user
    file_of /usr/src/googletest/googletest/src/gtest-all.cc googletest
  fi
fi

((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "regard needs these Debian packages or their like: ${missing[*]}" >&2
  exit 1
fi
root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "regard needs these packages, and there is no sudo to install them: ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "failed: $*" >&2
    exit 1
  }
}
echo "installing: ${missing[*]}" >&2
quietly "${root[@]}" apt-get update
quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y --no-install-recommends "${missing[@]}"
