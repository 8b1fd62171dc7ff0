#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the built-in model: writes the corpus, trains one model a seed with `regard train`, keeps
# the one whose view is best on validation sentences, and the traces of the lesson's sentences as it
# was trained.
#
#   examples/lesson/make_model.sh WORK [SEED...]     default: seeds 1 to 5
#
# Two seeds (JOBS) are trained at a time, on a thread each; WORK/seed-N.log says how far one is.
# What was stopped goes on where it was. Each seed needs a corpus of 135 MB and removes it. Needs
# build/release with regard and lesson_corpus, and PYTHON (default python3) with tokenizers, numpy
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
"$python" "$here/recipe.py" "$work/words.tsv" "$work"
for split in validation validation-clauses validation-distractors validation-far; do
  "$corpus" --split "$split" --seed 101 --documents 1000 --json -o "$work/validation/$split.jsonl"
done
train() {  # SEED
  run=$work/seed-$1
  [[ -e $run/done ]] && return
  "$corpus" --split train --seed "$1" --documents "$documents" --ramp 27000:54000 \
    -o "$work/train-$1.txt"
  resume=()
  [[ ! -d $run ]] || resume=(--resume)
  REGARD_THREADS=1 "$regard" train "$work/train-$1.txt" -o "$run" --seed "$1" \
    --options "$here/options.ini" --steps $((documents / 96)) --model-config "$here/config.json" \
    --tokenizer "$work" --corruption "$work/corruption.json" "${resume[@]}" 2>"$run.log"
  rm "$work/train-$1.txt"
  touch "$run/done"
}
export -f train
export work corpus regard here documents
printf '%s\n' "${seeds[@]}" | xargs -P "$jobs" -I{} bash -euo pipefail -c 'train {}'
"$python" "$here/choose.py" --program "$regard" --words "$work/words.tsv" --jobs "$jobs" \
  --validation "$work/validation" -o "$here/model" "${seeds[@]/#/$work/seed-}" |
  tee "$work/chosen.txt"
best=$(sed -n 's/^chosen: //p' "$work/chosen.txt")
# The steps whose grids are kept: close together while much changes.
mkdir -p "$here/traces"
rm -f "$here"/traces/*
last=$((documents / 96))
for step in 0 400 800 1200 1600 2400 3200 4800 6400 8000 10000 12000 14000 16000 "$last"; do
  at=$best/checkpoints/$(printf 'step-%08d' "$step")
  ((step < last)) || at=$here/model # the same in half precision
  for property in tired wide; do
    "$regard" record "The animal didn't cross the street because it was too $property." \
      --model "$at" \
      -o "$here/traces/$(printf 'step-%05d' "$step")-$property.safetensors"
  done
  # The mean of the last 100 steps' losses.
  awk -F '[:,]' -v at="$step" '$2 > at - 100 && $2 <= at { sum += $4; ++count }
    END { printf "{\"step\": %d, \"loss\": %s}\n", at, count ? sum / count : "null" }' \
    "$best/metrics.jsonl" >>"$here/traces/metrics.jsonl"
done
