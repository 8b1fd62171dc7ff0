#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the built-in model: writes the corpus, trains one model a seed, keeps the one whose view is
# best on validation sentences, and the traces of the lesson's sentences as it was trained.
#
#   examples/lesson/make_model.sh WORK [SEED...]     default: seeds 1 to 5
#
# Needs build/release with regard and lesson_corpus, and PYTHON (default python3) with torch,
# tokenizers and safetensors.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
python=${PYTHON:-python3}
corpus=$root/build/release/examples/lesson/lesson_corpus
regard=$root/build/release/regard
documents=${DOCUMENTS:-1600000}
work=${1:?a folder to work in}
shift
seeds=("$@")
((${#seeds[@]})) || seeds=(1 2 3 4 5)
mkdir -p "$work"
"$corpus" --words "$work/words.tsv"
"$corpus" --split validation --seed 101 --documents 1000 --json -o "$work/validation.jsonl"
for seed in "${seeds[@]}"; do
  [[ -e $work/seed-$seed/regard.json ]] && continue
  "$corpus" --split train --seed "$seed" --documents "$documents" --ramp 27000:54000 \
    -o "$work/train-$seed.txt"
  "$python" "$here/train.py" --corpus "$work/train-$seed.txt" --words "$work/words.tsv" \
    --validation "$work/validation.jsonl" --seed "$seed" --report 400 \
    --checkpoints "$work/seed-$seed/steps" -o "$work/seed-$seed" | tee "$work/seed-$seed.log"
  rm "$work/train-$seed.txt"
done
best=$("$python" - "$work" "${seeds[@]}" <<'PY'
import json, sys
work, seeds = sys.argv[1], sys.argv[2:]
def score(seed):
    with open(f"{work}/seed-{seed}/regard.json") as file:
        return sum(json.load(file)["validation"].values())
print(max(seeds, key=score))
PY
)
echo "best on validation: seed $best"
mkdir -p "$here/model" "$here/traces"
for file in config.json tokenizer.json model.safetensors regard.json; do
  install -m 644 "$work/seed-$best/$file" "$here/model/$file"
done
rm -f "$here"/traces/*.safetensors
for step in "$work/seed-$best"/steps/step-*; do
  for property in tired wide; do
    "$regard" record "The animal didn't cross the street because it was too $property." \
      --model "$step" -o "$here/traces/$(basename "$step")-$property.safetensors"
  done
done
