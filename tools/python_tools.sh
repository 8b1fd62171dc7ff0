#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the folder of a Python virtual environment for the project's own tools, in the user's
# cache; makes it when it is not there yet.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/regard/tools
if [[ ! -x $folder/bin/pip ]]; then
  "$here/install_dependencies.sh" python
  mkdir -p "$(dirname "$folder")"
  rm -rf "$folder"
  python3 -m venv "$folder" >&2
fi
echo "$folder"
