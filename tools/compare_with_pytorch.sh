#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs PyTorch and transformers into an environment of their own in the user's cache (once),
# and compares the program's weights, models that it has trained, and its tokens, with theirs:
# tools/compare_with_pytorch.sh PROGRAM
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$1
model=$("$here/fetch_minilm.sh")
python=${REGARD_PEERS_PYTHON:-}
if [[ -z $python ]]; then
  # The environment that bench/compare_peers.py uses too.
  peers=${XDG_CACHE_HOME:-$HOME/.cache}/regard/peers
  requirements=$here/../bench/requirements-peers.txt
  if ! cmp -s "$requirements" "$peers/requirements-peers.txt"; then
    echo "installing PyTorch and transformers (once) into $peers" >&2
    "$here/install_dependencies.sh" python
    python3 -m venv --clear "$peers"
    "$peers/bin/pip" --disable-pip-version-check install -q -r "$requirements"
    cp "$requirements" "$peers/requirements-peers.txt"
  fi
  python=$peers/bin/python
fi
# Settings of one machine's BLAS, which a current numpy does not want.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
"$python" "$here/compare_with_pytorch.py" --program "$program" --model "$model"
"$python" "$here/compare_training_with_pytorch.py" --program "$program"
"$python" "$here/compare_random_tokenizers.py" "$program" --count 300
