"""Writes tests/golden/forget.json, which tests/recurrent.rs compares with: for some of the tiny golden models the loss of the last
token of a sequence, and the length of its gradient with respect to the embedding of each token before, by PyTorch's autograd.

    python tests/golden/make_forget.py        (torch 2.15, transformers 5.23)
"""

import json

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import make_recurrent
from make_golden import HERE


def recurrent(name):
    model = make_recurrent.MODELS[name][0]()
    model.load_state_dict({key: value.float() for key, value in load_file(HERE / name / "model.safetensors").items()})
    return model, model.embedding


def transformer(name):
    model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32)
    return model, model.get_input_embeddings()


def measure(model, embedding, ids):
    kept = []

    def keep(_module, _inputs, output):
        output.retain_grad()
        kept.append(output)

    hook = embedding.register_forward_hook(keep)
    logits = model(ids[:, :-1]).logits
    hook.remove()
    loss = torch.nn.functional.cross_entropy(logits[0, -1:], ids[0, -1:])
    loss.backward()
    # The recurrent models look embeddings up twice, to check their layers: one of the two has the gradient.
    gradient = next(x.grad for x in reversed(kept) if x.grad is not None)
    return {"ids": ids[0].tolist(), "loss": loss.item(), "norms": gradient[0].norm(dim=-1).tolist()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = {}
    for name in ["lstm", "rnn", "feed-forward", "gpt2", "llama"]:
        make = recurrent if name in make_recurrent.MODELS else transformer
        ids = load_file(HERE / name / "reference.safetensors")["ids"][:1].long()
        found[name] = measure(*make(name), ids)
        print(name, found[name]["loss"], [round(x, 5) for x in found[name]["norms"]])
    (HERE / "forget.json").write_text(json.dumps(found) + "\n")
