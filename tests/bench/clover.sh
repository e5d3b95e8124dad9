#!/bin/sh
# What the shipped encoder is measured by, all on the CPU: how its cosines go with what people say of pairs of sentences, beside averaged
# word vectors of the same text and beside another encoder, and how many held-out blanks it fills, beside counting.
#
#   tests/bench/clover.sh FOVEA MODEL DATA [OTHER]
#
# DATA holds text/ and stsb/, as the presets clover-blanks and clover want it; OTHER is the folder of all-MiniLM-L6-v2, say. PYTHON needs numpy,
# scipy and scikit-learn.
set -eu
fovea=$1 model=$2 data=$3 other=${4:-}
here=$(cd "$(dirname "$0")/../.." && pwd)
pairs=$data/stsb/stsb-en-test.csv
preset=$here/assets/presets/clover-blanks.toml

echo "== $model on STS-B's test part"
"$fovea" similarity --device cpu --model "$model" --data "$pairs"
if [ -n "$other" ]; then
    echo "== $other on the same"
    "$fovea" similarity --device cpu --model "$other" --data "$pairs"
fi
echo "== averaged word vectors of the same text"
"${PYTHON:-python3}" "$here/tests/bench/word_vectors.py" "$pairs" "$preset" "$data"

echo "== blanks"
set --
for text in $(sed -n 's/^ *"data\/\(.*\)",$/\1/p' "$preset"); do
    set -- "$@" --data "$data/$text"
done
"$fovea" baselines --device cpu --model "$model" "$@" --context 128 --validation-share 0.04 --seed 1
