"""Writes others.safetensors for tests/edits/others.rs: what transformers says next where a block is skipped, and where a head has values
of other prompts.

    MODEL.skip    probabilities of the next token after A, where the second block gives back what came to it
    MODEL.over    the same, where the second head of the first block has its mean over all tokens of B and C
    MODEL.from    the same, where that head has what it has for B, token by token

A head is set where heads are still apart: in the input of the output projection. A letter is a token.

    python tests/golden/make_others.py        (torch 2.15, transformers 5.24)
"""

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from make_edits import DECODERS, HEAD, HERE, LETTERS, Places, recorded

A, B, C = "the quick brown fox", "a lazy dog sleeps b", "jumps over"


def ids(text):
    return torch.tensor([[LETTERS.index(letter) for letter in text]])


def skipped(model):
    """The second block gives back its input."""
    block, came = Places(model).blocks[1], []

    def before(_module, inputs, kwargs):
        came.append(inputs[0] if inputs else kwargs["hidden_states"])

    def after(_module, _inputs, output):
        return (came[-1], *output[1:]) if isinstance(output, tuple) else came[-1]

    return [block.register_forward_pre_hook(before, with_kwargs=True), block.register_forward_hook(after)]


def with_head(model, value):
    """The second head of the first block has this value, `[1, T or 1, K]`."""
    places = Places(model)

    def whole(x):
        apart = x.unflatten(-1, (places.heads, -1)).clone()
        apart[..., HEAD, :] = value.expand_as(apart[..., HEAD, :])
        return apart.flatten(-2)

    return [places.on_input(places.joined, whole)]


def head_of(model, text):
    """What that head has for a text, `[1, T, K]`."""
    z = recorded(model, lambda: model(ids(text)), "z")
    return z.unflatten(-1, (Places(model).heads, -1))[..., HEAD, :]


def next_token(model, hooks):
    with torch.no_grad():
        shares = model(ids(A)).logits[0, -1].double().softmax(-1)
    for hook in hooks:
        hook.remove()
    return shares.float()


def main():
    out = {}
    for name in DECODERS:
        model = AutoModelForCausalLM.from_pretrained(HERE / name, attn_implementation="eager", dtype=torch.float32).eval()
        theirs = [head_of(model, text) for text in (B, C)]
        out[f"{name}.skip"] = next_token(model, skipped(model))
        out[f"{name}.over"] = next_token(model, with_head(model, torch.cat(theirs, 1).mean(1, keepdim=True)))
        out[f"{name}.from"] = next_token(model, with_head(model, theirs[0]))
        clean = next_token(model, [])
        print(name, *(f"{key} {(value - clean).abs().max():.4f}" for key, value in out.items() if key.startswith(name + ".")))
    save_file(out, HERE / "others.safetensors")


if __name__ == "__main__":
    main()
