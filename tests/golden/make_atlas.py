"""Writes atlas.json, the scores of every head that tests/atlas.rs compares with.

transformers reads each sequence in one pass, in float32 with eager attention; the scores are computed here from its attention
weights, in float64, by their definitions over whole matrices: masks of the cells that count, summed and divided.

    python tests/golden/make_atlas.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib

import torch
from transformers import AutoModel

HERE = pathlib.Path(__file__).parent
CAUSAL, BOTH = "left_to_right", "both_ways"
# A text in which tokens come again, also more than twice and next to each other; and distinct tokens said twice, with nothing,
# or one token, in front. Longer than the windows of Gemma.
TEXT = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31, 3, 7, 44, 3]
HALF = [5, 17, 2, 29, 11, 40, 8, 23, 36]
SEQUENCES = {
    "gpt2": (CAUSAL, [(TEXT, None, []), (HALF + HALF, (0, 9), [])]),
    "llama": (CAUSAL, [(TEXT, None, []), ([1] + HALF + HALF, (1, 9), [])]),
    "gemma2": (CAUSAL, [(TEXT, None, []), ([1] + HALF + HALF, (1, 9), [])]),
    # [CLS] is 2 and [SEP] is 3; a second separator stands in the middle of the text.
    "bert": (BOTH, [([2, 7, 9, 9, 3, 12, 7, 20, 9, 31, 7, 44, 3], None, [3]),
                    ([2] + [i + 5 for i in HALF] * 2 + [3], (1, 9), [3])]),
}


def mean(weights, cells, count):
    return None if count == 0 else float((weights * cells).sum() / count)


def scores(a, ids, order, twice, separators):
    t = len(ids)
    q, k = torch.meshgrid(torch.arange(t), torch.arange(t), indexing="ij")
    ids = torch.tensor(ids)
    same = (ids[:, None] == ids[None, :]) & (k < q)
    # Key p + 1 counts where p holds the query's token.
    after = torch.zeros_like(same)
    after[:, 1:] = same[:, :-1]
    repeated = int(same.any(1).sum())
    d = (q - k).double()
    centre = float((a * d).sum() / t)
    rows = torch.where(a > 0, -a * torch.log(a.clamp_min(1e-300)), torch.zeros_like(a)).sum(1)
    found = {
        "previous_token": mean(a, k == q - 1, t - 1),
        "self": mean(a, k == q, t),
        "first_token": mean(a, (k == 0) & (q > 0), t - 1),
        "duplicate_token": mean(a, same, repeated),
        "induction": mean(a, after, repeated),
        "entropy": float(rows.mean()),
        "distance": centre,
        "distance_variance": float((a * (d - centre) ** 2).sum() / t),
    }
    if order == BOTH:
        separator = torch.isin(ids, torch.tensor(separators))
        found["next_token"] = mean(a, k == q + 1, t - 1)
        found["separator"] = mean(a, separator[None, :].expand(t, t), t if separator.any() else 0)
        found["absolute_distance"] = float((a * d.abs()).sum() / t)
    if twice is not None:
        front, half = twice
        end = front + 2 * half
        diagonal = torch.diagonal(a[:end, :end], -(half - 1))
        assert len(diagonal) == half + 1 + front
        found["induction_diagonal"] = float(diagonal.mean())
        found["induction_repeats"] = float(diagonal[-half:].mean())
    return found


def main():
    torch.set_num_threads(1)
    written = {}
    for name, (order, sequences) in SEQUENCES.items():
        model = AutoModel.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
        cases = []
        for ids, twice, separators in sequences:
            with torch.no_grad():
                patterns = model(torch.tensor([ids]), output_attentions=True).attentions
            heads = [
                {"layer": layer, "head": head} | scores(a.double(), ids, order, twice, separators)
                for layer, pattern in enumerate(patterns) for head, a in enumerate(pattern[0])
            ]
            cases.append({"ids": ids, "twice": twice, "separators": separators, "heads": heads})
        written[name] = {"order": order, "cases": cases}
    (HERE / "atlas.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
