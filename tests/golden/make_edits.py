"""Writes the golden values of tests/edits.rs: what transformers computes when PyTorch hooks change values inside a pass.

For each model that make_golden.py and make_golden_encoders.py wrote, an edits.safetensors beside it:

    NAME.logits or NAME.out        one pass over the first sequence, or picture, under the edit NAME
    NAME.next.ids, NAME.next.logits   decoders: 16 tokens generated greedily through the cache, and the scores of each
    NAME.answer.I                  decoders: log-probability of each token of answer I after the first sequence
    gradient.SITE                  gradient of a loss (decoders: next token; others: mean of squares) at a site

A head is set to zero where heads are still apart: in the input of the output projection. The edits are written as Fovea
writes them; `patch` replaces the residual stream of one position by that of the second sequence or picture.

    python tests/golden/make_edits.py        (torch 2.15, transformers 5.24)
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, DeiTForImageClassificationWithTeacher, ViTForImageClassification,
)

HERE = pathlib.Path(__file__).parent
DECODERS = [
    "gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2",
]
ENCODERS = ["bert", "bert-bare", "roberta", "distilbert"]
PICTURES = {"vit": ViTForImageClassification, "deit": DeiTForImageClassificationWithTeacher}
HEAD, POSITION, NEW = 1, 3, 16
# One letter a token; the answers begin with a space, so none is put before them.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345.,!? "
ANSWERS = [" b", " Fox", " 3z"]
# blocks.0.attn.z[1] = zero; blocks.1.mlp_out = scale -1.5; blocks.1.resid_pre@0,-1 = scale 0.5; blocks.0.attn.z[1] = mean
EDITS = ["head", "mlp", "ends", "mean", "patch"]


class Places:
    """Where the values that are edited pass by."""

    def __init__(self, model):
        body = model.base_model
        kind = model.config.model_type
        if kind == "gpt2":
            self.blocks, heads_joined, mlp = body.h, lambda b: b.attn.c_proj, lambda b: b.mlp
        elif kind == "gpt_neox":
            self.blocks, heads_joined, mlp = body.layers, lambda b: b.attention.dense, lambda b: b.mlp
        elif kind in ("bert", "roberta"):
            self.blocks, heads_joined, mlp = body.encoder.layer, lambda b: b.attention.output.dense, lambda b: b.output.dense
        elif kind == "distilbert":
            self.blocks, heads_joined, mlp = body.transformer.layer, lambda b: b.attention.out_lin, lambda b: b.ffn.lin2
        elif kind in ("vit", "deit"):
            self.blocks, heads_joined, mlp = body.layers, lambda b: b.attention.o_proj, lambda b: b.mlp.fc2
        elif kind == "gemma2":
            self.blocks, heads_joined, mlp = body.layers, lambda b: b.self_attn.o_proj, lambda b: b.post_feedforward_layernorm
        else:
            self.blocks, heads_joined, mlp = body.layers, lambda b: b.self_attn.o_proj, lambda b: b.mlp
        self.heads = model.config.num_attention_heads
        self.joined, self.mlp = heads_joined(self.blocks[0]), mlp(self.blocks[1])

    def on_input(self, module, change):
        def hook(_module, inputs, kwargs):
            if inputs:
                return (change(inputs[0]), *inputs[1:]), kwargs
            return inputs, kwargs | {"hidden_states": change(kwargs["hidden_states"])}

        return module.register_forward_pre_hook(hook, with_kwargs=True)

    def on_output(self, module, change):
        return module.register_forward_hook(lambda _module, _inputs, output: change(output))


class Edited:
    """One edit while it holds. `tokens` is the length of the prompt; a pass begins at position `past`."""

    def __init__(self, model, name, tokens, donor=None, mean=None):
        self.places, self.name, self.tokens, self.donor, self.mean = Places(model), name, tokens, donor, mean
        self.past, self.hooks = 0, []

    def head(self, change):
        def whole(x):
            apart = x.unflatten(-1, (self.places.heads, -1)).clone()
            apart[..., HEAD, :] = change(apart[..., HEAD, :])
            return apart.flatten(-2)

        return self.places.on_input(self.places.joined, whole)

    def at_positions(self, positions, change):
        def whole(x):
            x = x.clone()
            for position in positions:
                row = position - self.past
                if 0 <= row < x.shape[1]:
                    x[:, row] = change(x[:, row], position)
            return x

        return self.places.on_input(self.places.blocks[1], whole)

    def __enter__(self):
        if self.name == "head":
            hook = self.head(lambda z: z * 0)
        elif self.name == "mean":
            hook = self.head(lambda z: (z.mean(1, keepdim=True) if self.mean is None else self.mean).expand_as(z))
        elif self.name == "mlp":
            hook = self.places.on_output(self.places.mlp, lambda x: x * -1.5)
        elif self.name == "ends":
            hook = self.at_positions([0, self.tokens - 1], lambda x, _: x * 0.5)
        else:
            hook = self.at_positions([POSITION], lambda _, position: self.donor[:, position])
        self.hooks.append(hook)
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def recorded(model, run, place):
    """The value that passes a place in an unedited run."""
    found, places = [], Places(model)
    keep = lambda x: found.append(x.detach().clone()) or x
    hook = places.on_input(places.joined if place == "z" else places.blocks[1], keep)
    with torch.no_grad():
        run()
    hook.remove()
    return found[0]


def gradients(model, run, loss):
    """Of the loss, at the residual stream entering the second block and at the values of the first block's heads."""
    places, values = Places(model), {}

    def watched(name):
        def change(x):
            values[name] = x if x.requires_grad and not x.is_leaf else x.detach().requires_grad_()
            values[name].retain_grad()
            return values[name]

        return change

    hooks = [
        places.on_input(places.joined, watched("blocks.0.attn.z")),
        places.on_input(places.blocks[1], watched("blocks.1.resid_pre")),
    ]
    loss(run()).backward()
    for hook in hooks:
        hook.remove()
    z = values["blocks.0.attn.z"].grad[0].unflatten(-1, (places.heads, -1)).transpose(0, 1)
    return {"gradient.blocks.0.attn.z": z, "gradient.blocks.1.resid_pre": values["blocks.1.resid_pre"].grad[0]}


def decoder(name):
    model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    ids = load_file(HERE / name / "reference.safetensors")["ids"].long()
    prompt, other = ids[:1], ids[1:]
    length = prompt.shape[1]
    donor = recorded(model, lambda: model(other), "resid")
    z = recorded(model, lambda: model(prompt), "z").unflatten(-1, (model.config.num_attention_heads, -1))
    mean = z[..., HEAD, :].mean(1, keepdim=True)
    values, margin = {}, float("inf")
    for edit in EDITS:
        with Edited(model, edit, length, donor, mean) as edited, torch.no_grad():
            values[f"{edit}.logits"] = model(prompt).logits[0]
            out = model(prompt, use_cache=True)
            steps, new = [], []
            for _ in range(NEW):
                scores = out.logits[0, -1]
                steps.append(scores)
                best = scores.topk(2)
                margin = min(margin, (best.values[0] - best.values[1]).item())
                new.append(best.indices[0])
                edited.past = length + len(new) - 1
                out = model(best.indices[:1].reshape(1, 1), past_key_values=out.past_key_values, use_cache=True)
            edited.past = 0
            values[f"{edit}.next.ids"], values[f"{edit}.next.logits"] = torch.stack(new).int(), torch.stack(steps)
            for i, answer in enumerate(ANSWERS):
                tokens = torch.tensor([[LETTERS.index(letter) for letter in answer]])
                scores = model(torch.cat([prompt, tokens], 1)).logits[0, length - 1 : -1].log_softmax(-1)
                values[f"{edit}.answer.{i}"] = scores.gather(1, tokens.T)[:, 0]
    assert margin > 1e-4, f"{name}: a choice hangs on {margin}"
    values.update(gradients(model, lambda: model(prompt, labels=prompt).loss, lambda loss: loss))
    finish(name, values, f"smallest margin {margin:.4f}")


def encoder(name):
    kind = AutoModel if name == "bert-bare" else AutoModelForMaskedLM
    model = kind.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    reference = load_file(HERE / name / "reference.safetensors")
    ids = reference["ids"].long()
    types = {"token_type_ids": reference["types"].long()} if "types" in reference else {}
    generator = torch.Generator().manual_seed(7)
    other = torch.randint(5, model.config.vocab_size, ids.shape, generator=generator)

    def run(ids):
        out = model(input_ids=ids, output_hidden_states=True, **types)
        return out.logits if kind is AutoModelForMaskedLM else out.hidden_states[-1]

    values = others(model, lambda: run(ids), lambda: run(other), ids.shape[1])
    finish(name, {"other": other.int()} | values, "")


def picture(name):
    model = PICTURES[name].from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    reference = load_file(HERE / name / "reference.safetensors")
    run = lambda i: model(pixel_values=reference[f"pixels.{i}"][None]).logits
    tokens = (model.config.image_size // model.config.patch_size) ** 2 + (2 if name == "deit" else 1)
    finish(name, others(model, lambda: run(0), lambda: run(1), tokens), "")


def others(model, run, run_other, tokens):
    """The edits in one pass, for models that read everything at once."""
    donor, values = recorded(model, run_other, "resid"), {}
    for edit in EDITS:
        with Edited(model, edit, tokens, donor), torch.no_grad():
            values[f"{edit}.out"] = run()[0]
    return values | gradients(model, run, lambda out: out.square().mean())


def finish(name, values, note):
    path = HERE / name / "edits.safetensors"
    save_file({key: value.detach().contiguous() for key, value in values.items()}, path)
    print(f"{name}: {path.stat().st_size // 1024} KiB {note}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in DECODERS:
        decoder(name)
    for name in ENCODERS:
        encoder(name)
    for name in PICTURES:
        picture(name)
