#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the built-in model: writes the corpus, trains one model a seed, keeps the one whose view is
# best on validation sentences, and the traces of the lesson's sentences as it was trained.
#
#   examples/lesson/make_model.sh WORK [SEED...]     default: seeds 1 to 5
#
# Two seeds (JOBS) are trained at a time, on a thread each; WORK/seed-N.log says how far one is.
# Seeds that are there are not trained again. Each writes a corpus of 135 MB and removes it. Needs
# build/release with regard and lesson_corpus, and PYTHON (default python3) with torch, tokenizers
# and safetensors.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
python=${PYTHON:-python3}
corpus=$root/build/release/examples/lesson/lesson_corpus
regard=$root/build/release/regard
documents=${DOCUMENTS:-1728000}
jobs=${JOBS:-2}
work=${1:?a folder to work in}
shift
seeds=("$@")
((${#seeds[@]})) || seeds=(1 2 3 4 5)
mkdir -p "$work/validation"
"$corpus" --words "$work/words.tsv"
for split in validation validation-clauses validation-distractors validation-far; do
  "$corpus" --split "$split" --seed 101 --documents 1000 --json -o "$work/validation/$split.jsonl"
done
train() {  # SEED
  [[ -e $work/seed-$1/regard.json ]] && return
  rm -rf "$work/seed-$1"
  "$corpus" --split train --seed "$1" --documents "$documents" --ramp 27000:54000 \
    -o "$work/train-$1.txt"
  "$python" "$here/train.py" --corpus "$work/train-$1.txt" --words "$work/words.tsv" \
    --validation "$work/validation" --seed "$1" --checkpoints "$work/seed-$1/steps" \
    -o "$work/seed-$1" >"$work/seed-$1.log"
  rm "$work/train-$1.txt"
  echo "seed $1: $(tail -n 1 "$work/seed-$1.log")"
}
export -f train
export work corpus python here documents
printf '%s\n' "${seeds[@]}" | xargs -P "$jobs" -I{} bash -euo pipefail -c 'train {}'
best=$("$python" "$here/train.py" --best "${seeds[@]/#/$work/seed-}")
echo "best on validation: $best"
mkdir -p "$here/model" "$here/traces"
for file in config.json tokenizer.json model.safetensors regard.json; do
  install -m 644 "$best/$file" "$here/model/$file"
done
rm -f "$here"/traces/*
install -m 644 "$best/steps/metrics.jsonl" "$here/traces/metrics.jsonl"
for step in "$best"/steps/step-*; do
  for property in tired wide; do
    "$regard" record "The animal didn't cross the street because it was too $property." \
      --model "$step" -o "$here/traces/$(basename "$step")-$property.safetensors"
  done
done
