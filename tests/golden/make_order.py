"""Writes order.json: what becomes of a text without positions, with two of them swapped and with its tokens in other places.

For each model that make_golden.py and make_golden_encoders.py wrote, four other readings of one sequence, compared with the
sequence as written: tests/word_order.rs compares with them. transformers reads in float64 with eager attention, and everything is
changed from outside of it:

    positions off     the table of positions is zero, or every position that is rotated by is 0
    swapped           two rows of the table change places, or two of the positions that are rotated by
    shuffled          the ids stand in another order, and vectors and weights are taken from where each went

    python tests/golden/make_order.py        (torch 2.15, transformers 5.24)
"""

import json
import pathlib

import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

HERE = pathlib.Path(__file__).parent
DECODERS = [
    "gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2",
]
TEXT = [7, 3, 9, 51, 22, 12, 40, 5, 20, 9, 31, 18, 60, 44, 2]
# The first and the last stay, and two neighbours stay together, as the tokens of a word do.
ORDER = [0, 9, 3, 4, 12, 1, 8, 5, 13, 2, 11, 7, 10, 6, 14]
# [CLS], [SEP] and [MASK]; what stands between them is moved.
MARKS = {"bert": (2, 3, 4), "bert-bare": (2, 3, 4), "distilbert": (2, 3, 4), "roberta": (0, 2, 269)}
SWAP = [3, 9]
TOP = 6
READINGS = ["positions_off", "swapped", "shuffled", "shuffled_positions_off"]


def table(model):
    """The learned positions, and how many rows stand before that of the first token."""
    body, kind = model.base_model, model.config.model_type
    if kind == "gpt2":
        return body.wpe.weight, 0
    if kind in ("bert", "distilbert"):
        return body.embeddings.position_embeddings.weight, 0
    if kind == "roberta":
        return body.embeddings.position_embeddings.weight, model.config.pad_token_id + 1
    return None, 0


def blocks(model):
    body, kind = model.base_model, model.config.model_type
    if kind == "gpt2":
        return body.h
    if kind in ("bert", "roberta"):
        return body.encoder.layer
    return body.transformer.layer if kind == "distilbert" else body.layers


def read(model, ids, reading):
    """Vectors before the first block and behind each, patterns, and scores, if there is a head."""
    positions = torch.arange(len(ids))
    learned, offset = table(model)
    kept = None if learned is None else learned.data.clone()
    if reading in ("positions_off", "shuffled_positions_off"):
        positions = positions * 0
        if learned is not None:
            learned.data.zero_()
    elif reading == "swapped":
        positions[SWAP] = positions[SWAP[::-1]]
        if learned is not None:
            a, b = SWAP[0] + offset, SWAP[1] + offset
            learned.data[[a, b]] = learned.data[[b, a]]
    states = []

    def entering(_module, inputs, kwargs):
        states.append((inputs[0] if inputs else kwargs["hidden_states"])[0])

    def leaving(_module, _inputs, output):
        states.append((output[0] if isinstance(output, tuple) else output)[0])

    all_blocks = blocks(model)
    hooks = [all_blocks[0].register_forward_pre_hook(entering, with_kwargs=True)]
    hooks += [block.register_forward_hook(leaving) for block in all_blocks]
    # A mask is given, since without one positions that do not rise would be read as several sequences.
    given = {"attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if learned is None:
        given["position_ids"] = positions[None]
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, **given)
    for hook in hooks:
        hook.remove()
    if learned is not None:
        learned.data.copy_(kept)
    assert len(states) == len(all_blocks) + 1
    return torch.stack(states), [pattern[0] for pattern in out.attentions], getattr(out, "logits", None)


def cosine(a, b):
    return float((a * b).sum() / (a.norm() * b.norm()))


def one(name):
    is_decoder = name in DECODERS
    kind = AutoModelForCausalLM if is_decoder else AutoModel if name == "bert-bare" else AutoModelForMaskedLM
    model = kind.from_pretrained(HERE / name, dtype=torch.float64, attn_implementation="eager").eval()
    ids, token = list(TEXT), 14
    if not is_decoder:
        ids[0], ids[-1], token = MARKS[name][0], MARKS[name][1], 6
        ids = [ids[0]] + [i + 5 for i in ids[1:-1]] + [ids[-1]]
        ids[token] = MARKS[name][2]
    places = [ORDER.index(i) for i in range(len(ids))]
    rows = range(len(ids))
    states, patterns, logits = read(model, ids, None)
    asked = len(ids) - 1 if is_decoder else token
    before = None if logits is None else logits[0, asked].log_softmax(-1)
    written = {"ids": ids, "token": token, "swap": SWAP, "order": ORDER}
    if before is not None:
        top = before.topk(TOP).indices
        written["said"] = [[int(i), float(before[i].exp())] for i in top]
    for reading in READINGS:
        moved = reading.startswith("shuffled")
        now_states, now_patterns, now_logits = read(model, [ids[i] for i in ORDER] if moved else ids, reading)
        to = places if moved else list(rows)
        at = to[token]
        found = {
            "cosines": [cosine(a[token], b[at]) for a, b in zip(states, now_states)],
            "heads": [
                (0.5 * (a - b[:, to][:, :, to]).abs().sum(-1)).mean(-1).tolist()
                for a, b in zip(patterns, now_patterns)
            ],
        }
        if before is None:
            found["pooled"] = cosine(states[-1].mean(0), now_states[-1].mean(0))
        else:
            now = now_logits[0, asked if is_decoder else at].log_softmax(-1)
            found["kl"] = float((before.exp() * (before - now)).sum())
            found["top"] = [[int(i), float(now[i].exp()), float(before[i].exp())] for i in now.topk(TOP).indices]
            found["written"] = [float(now[i].exp()) for i in top]
        written[reading] = found
        print(f"{name} {reading}: kl {found.get('kl')}, cosine {found['cosines'][-1]:.4f}")
    return written


if __name__ == "__main__":
    torch.set_num_threads(1)
    written = {name: one(name) for name in DECODERS + list(MARKS)}
    (HERE / "order.json").write_text(json.dumps(written, indent=1) + "\n")
