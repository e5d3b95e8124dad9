"""Writes linear.json: logistic regressions by scikit-learn (lbfgs, L2, C = 1, tol 1e-10), prototypes by cosine, F1.

    pip install scikit-learn numpy
    python tests/golden/make_linear.py
"""

import json
import pathlib
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.metrics.pairwise import cosine_similarity

warnings.simplefilter("error")
random = np.random.default_rng(19)


def case(counts, width, spread, scale):
    """Vectors around a centre for each class: of some classes many, of others few."""
    centres = random.normal(size=(len(counts), width)) * spread
    rows = [centres[label] + random.normal(size=width) for label, count in enumerate(counts) for _ in range(count)]
    classes = [label for label, count in enumerate(counts) for _ in range(count)]
    x = (np.array(rows) * scale).astype(np.float32)
    asked = (random.normal(size=(6, width)) * spread * scale).astype(np.float32)
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=100_000).fit(x.astype(np.float64), classes)
    means = np.array([x.astype(np.float64)[np.array(classes) == label].mean(axis=0) for label in range(len(counts))])
    said = model.predict(x.astype(np.float64))
    return {
        "vectors": x.tolist(),
        "classes": classes,
        "asked": asked.tolist(),
        "coefficients": model.coef_.tolist(),
        "intercepts": model.intercept_.tolist(),
        "log_shares": model.predict_log_proba(asked.astype(np.float64)).tolist(),
        "cosines": cosine_similarity(asked.astype(np.float64), means).tolist(),
        "said": said.tolist(),
        "macro_f1": f1_score(classes, said, average="macro"),
    }


cases = [
    case([12, 9], 7, 0.8, 1.0),
    case([10, 3, 6], 5, 1.0, 1.0),
    case([4, 4, 4, 4], 33, 0.5, 0.1),
    case([90, 70], 9, 0.3, 3.0),
]
path = pathlib.Path(__file__).parent / "linear.json"
path.write_text(json.dumps(cases) + "\n")
