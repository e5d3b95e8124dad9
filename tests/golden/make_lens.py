"""Writes lens.json, what tests/lens.rs compares the logit lens with.

transformers reads each sequence in one pass, in float32; hooks take the residual stream out before the first block and behind
each. The lens is computed here in float64, with the last normalisation and the head written out by hand from their weights.

    python tests/golden/make_lens.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

HERE = pathlib.Path(__file__).parent
TEXT = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]
TARGET = 5
TOP = 10


def double(x):
    return x.detach().double()


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    return centred / scale * double(norm.weight) + double(norm.bias)


def rms_norm(x, weight, epsilon):
    return x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * weight


def of_gpt2(model):
    body = model.transformer
    return body.h, lambda x: layer_norm(x, body.ln_f) @ double(model.lm_head.weight).T


def of_llama(model):
    body = model.model
    weight, epsilon = double(body.norm.weight), body.norm.variance_epsilon
    return body.layers, lambda x: rms_norm(x, weight, epsilon) @ double(model.lm_head.weight).T


def of_gemma2(model):
    body, cap = model.model, model.config.final_logit_softcapping
    weight = 1 + double(body.norm.weight)
    head = double(model.lm_head.weight).T
    return body.layers, lambda x: cap * torch.tanh(rms_norm(x, weight, body.norm.eps) @ head / cap)


def of_bert(model):
    head = model.cls.predictions

    def scores(x):
        x = x @ double(head.transform.dense.weight).T + double(head.transform.dense.bias)
        x = layer_norm(torch.nn.functional.gelu(x), head.transform.LayerNorm)
        return x @ double(head.decoder.weight).T + double(head.decoder.bias)

    return model.bert.encoder.layer, scores


MODELS = {
    "gpt2": (AutoModelForCausalLM, of_gpt2),
    "llama": (AutoModelForCausalLM, of_llama),
    "gemma2": (AutoModelForCausalLM, of_gemma2),
    "bert": (AutoModelForMaskedLM, of_bert),
}


def states(model, blocks, ids):
    taken = []
    first = lambda out: out[0] if isinstance(out, tuple) else out
    handles = [blocks[0].register_forward_pre_hook(lambda _, args, kwargs: taken.append(
        (args[0] if args else kwargs["hidden_states"]).clone()), with_kwargs=True)]
    handles += [block.register_forward_hook(lambda _, args, out: taken.append(first(out).clone())) for block in blocks]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits
    for handle in handles:
        handle.remove()
    return [double(x[0]) for x in taken], double(logits[0])


def main():
    torch.set_num_threads(1)
    written = {"target": TARGET}
    for name, (kind, parts) in MODELS.items():
        model = kind.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
        blocks, unembed = parts(model)
        taken, logits = states(model, blocks, TEXT)
        assert len(taken) == len(blocks) + 1
        assert (unembed(taken[-1]) - logits).abs().max() < 1e-5, "the last state says what the model says"
        end = torch.log_softmax(unembed(taken[-1]), -1)
        rows = []
        for x in taken:
            log = torch.log_softmax(unembed(x), -1)
            cells = []
            for at in range(len(TEXT)):
                most = log[at].topk(TOP)
                cells.append({
                    "top": [[i, round(v, 9)] for i, v in zip(most.indices.tolist(), most.values.tolist())],
                    "entropy": float(-(log[at].exp() * log[at]).sum()),
                    "kl": float((end[at].exp() * (end[at] - log[at])).sum()),
                    "rank": int((log[at] > log[at, TARGET]).sum()) + 1,
                    "log_prob": float(log[at, TARGET]),
                })
            rows.append(cells)
        written[name] = {"ids": TEXT, "states": rows}
    (HERE / "lens.json").write_text(json.dumps(written) + "\n")


if __name__ == "__main__":
    main()
