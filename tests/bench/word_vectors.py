"""How well averaged word vectors say which sentences people find alike: what an encoder trained on the same text is held against.

Words are counted in windows of four to each side, one d away counting 1/d; their positive pointwise mutual information, with contexts
smoothed by 0.75, is taken to its largest singular vectors, each times the root of its value (Levy, Goldberg and Dagan 2015). A sentence is the
mean of the vectors of its words that came five times at least. Spearman's correlation of cosines with scores, ties by mean ranks.

    python tests/bench/word_vectors.py PAIRS.csv PRESET.toml DATA        (numpy, scipy, scikit-learn)

PAIRS.csv has two sentences and a score in each line; the texts are those that a preset names below data/, looked for in DATA. As in Fovea
the end of every file is left out, as much as the preset holds out.
"""

import collections
import csv
import pathlib
import re
import sys
import tomllib

import numpy
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.utils.extmath import randomized_svd

NEAR, LEAST, SMOOTHING, WIDTHS = 4, 5, 0.75, (100, 200, 300)
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")


def words(text):
    return WORD.findall(text.lower().replace("\u2019", "'"))


def main(pairs, preset, data):
    preset = tomllib.loads(pathlib.Path(preset).read_text())
    kept = 1 - preset["validation_share"]
    documents = []
    for path in preset["task"]["data"]:
        text = (pathlib.Path(data) / pathlib.Path(path).relative_to("data")).read_text(encoding="utf-8", errors="replace")
        documents += [words(part) for part in text[: int(len(text) * kept)].split("<|endoftext|>")]
    counts = collections.Counter(word for document in documents for word in document)
    known = {word: place for place, (word, count) in enumerate(counts.most_common()) if count >= LEAST}
    rows, columns, weights = [], [], []
    for document in documents:
        ids = numpy.array([known.get(word, -1) for word in document])
        for away in range(1, NEAR + 1):
            left, right = ids[:-away], ids[away:]
            both = (left >= 0) & (right >= 0)
            rows += [left[both], right[both]]
            columns += [right[both], left[both]]
            weights.append(numpy.full(2 * both.sum(), 1 / away))
    size = len(known)
    near = sparse.coo_matrix((numpy.concatenate(weights), (numpy.concatenate(rows), numpy.concatenate(columns))), (size, size)).tocsr().tocoo()
    total = near.data.sum()
    of_word = numpy.asarray(near.sum(1)).ravel()
    context = of_word**SMOOTHING
    context *= total / context.sum()
    information = numpy.log(near.data * total / (of_word[near.row] * context[near.col]))
    matrix = sparse.csr_matrix((numpy.maximum(information, 0), (near.row, near.col)), (size, size))
    u, values, _ = randomized_svd(matrix, max(WIDTHS), n_iter=5, random_state=0)
    with open(pairs, newline="", encoding="utf-8") as file:
        lines = [(a, b, float(score)) for a, b, score in csv.reader(file)]
    print(f"{sum(map(len, documents))} words of {len(documents)} documents, {size} of them known; {len(lines)} pairs")
    for width in WIDTHS:
        vectors = u[:, :width] * numpy.sqrt(values[:width])

        def mean(text):
            ids = [known[word] for word in words(text) if word in known]
            return vectors[ids].mean(0) if ids else numpy.zeros(width)

        cosines = []
        for a, b, _ in lines:
            a, b = mean(a), mean(b)
            length = numpy.linalg.norm(a) * numpy.linalg.norm(b)
            cosines.append(a @ b / length if length else 0.0)
        print(f"width {width}: Spearman {spearmanr(cosines, [score for *_, score in lines]).statistic:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
