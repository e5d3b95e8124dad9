#!/usr/bin/env bash
# Prints what models/seedling is measured by: few-shot accuracy on facts, rules, held-out templates and held-out tasks, what
# shuffled answers do, induction heads, bits per byte on text that was held out, and stories.
#
#   tests/bench/seedling.sh [MODEL] [DATA] [OTHER]
#
# MODEL is the model's folder, DATA one with text/tinystories and text/novels, and OTHER a model that reads the same bytes.
# Without DATA or OTHER what needs them is left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
model=${1:-models/seedling}
data=${2:-../shared/data}
other=${3:-../shared/models/tinystories-656k}
fovea=${FOVEA:-cargo run --release --locked --quiet --}

# Every fact table that is learned from and at least 90 % of whose inputs stand in two other tables as well, so that the input
# alone does not tell what is asked.
facts=(
    adverbs animal-sound animal-young antonyms comparatives country-capital country-currency country-language
    country-nationality en-de-adjectives en-de-nouns en-de-verbs en-es-adjectives en-es-nouns en-fr-adjectives en-fr-nouns
    en-fr-verbs participles past-participles past-tense plurals profession-tool profession-verb profession-workplace rhyme
    superlatives synonyms third-person verb-opposites
)
rules=(assets/unseen-rules/*.tsv)
held_out=(adjective-noun animal-home en-es-verbs larger emotion object-material)

kshot() {
    local tasks=()
    while [[ $# -gt 0 && $1 != -- ]]; do tasks+=(--task "$1"); shift; done
    shift
    $fovea kshot --model "$model" --device cpu "${tasks[@]}" --no-instruction --plain-draw "$@"
}
title() { printf '\n== %s ==\n' "$*"; }

title 'facts, pairs seen in training'
kshot "${facts[@]}" -- --pairs seen --k 0,1,2,4,8
title 'facts, the answers of the examples shuffled'
kshot "${facts[@]}" -- --pairs seen --k 8 --labels shuffled
title "facts, written {input} >> {output}, never seen in training"
kshot "${facts[@]}" -- --pairs seen --k 2,8 --template '{input} >> {output}'
title 'facts, written as Question and Answer, never seen in training either'
kshot "${facts[@]}" -- --pairs seen --k 2,8 --template 'Question: {input}\nAnswer: {output}'
title 'rules, on words that stood in no rule'
kshot "${rules[@]}" -- --k 0,1,2,4,8
title 'tasks held out as a whole'
kshot "${held_out[@]}" -- --k 0,2,8
title 'induction heads'
$fovea heads --model "$model" --device cpu --top 8

text=$(mktemp -d)
trap 'rm -rf "$text"' EXIT
if [[ -d $data/text ]]; then
    # Training reads neither the last 3 % of the stories nor, of a novel, anything behind its first 50,000 bytes.
    tail -c 60000 "$data/text/tinystories/tinystories-2MB.txt" > "$text/stories.txt"
    for novel in "$data"/text/novels/*.txt; do
        [[ $(stat -c %s "$novel") -lt 300000 ]] || tail -c 1000 "$novel"
    done | iconv -c -f utf-8 -t utf-8 > "$text/novels.txt"
    for name in "$model" "$other"; do
        [[ -d $name ]] || continue
        for kind in stories novels; do
            title "held-out $kind: $name"
            $fovea evaluate --model "$name" --device cpu --data "$text/$kind.txt"
        done
    done
fi

title 'stories'
for seed in 1 2 3; do
    $fovea generate --model "$model" --device cpu --prompt 'Once upon a time' --max-new-tokens 150 --temperature 0.7 --top-p 0.9 \
        --seed "$seed"
    printf '\n--\n'
done
