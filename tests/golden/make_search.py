"""Writes search.json, what tests/search.rs compares ablation sweeps and activation patching with.

transformers reads each sequence anew for every cell, in float64, weights and values. Values are changed by hooks: heads at the
input of the output projection, keys and values where their projections give them, what is added where it is added.

    python tests/golden/make_search.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

HERE = pathlib.Path(__file__).parent
DESTINATION = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]
SOURCE = [7, 3, 9, 14, 3, 12, 7, 8, 20, 9, 31]
ANSWERS = [5, 17]
POSITION = {"bert": 4}


class Place:
    """A stretch of what goes into a module or comes out of it."""

    def __init__(self, module, side, begin=0, end=None):
        self.module, self.side, self.begin, self.end = module, side, begin, end

    def hook(self, change):
        """Calls change(value [T, width]) -> value at this place."""

        def changed(x):
            part = x[0, :, self.begin : self.end]
            new = change(part)
            return x if new is None else torch.cat([x[..., : self.begin], new[None], x[..., self.end :] if self.end else x[..., :0]], -1)

        def before(_, args, kwargs):
            if args:
                return (changed(args[0]), *args[1:]), kwargs
            return args, kwargs | {"hidden_states": changed(kwargs["hidden_states"])}

        def after(_, args, out):
            return (changed(out[0]), *out[1:]) if isinstance(out, tuple) else changed(out)

        if self.side == "in":
            return self.module.register_forward_pre_hook(before, with_kwargs=True)
        return self.module.register_forward_hook(after)


def gpt2(model):
    width = model.config.n_embd
    sites = [{
        "resid_pre": Place(b, "in"), "attn_out": Place(b.attn.c_proj, "out"), "mlp_out": Place(b.mlp, "out"),
        "attn.z": Place(b.attn.c_proj, "in"), "attn.q": Place(b.attn.c_attn, "out", 0, width),
        "attn.k": Place(b.attn.c_attn, "out", width, 2 * width), "attn.v": Place(b.attn.c_attn, "out", 2 * width),
    } for b in model.transformer.h]
    return sites, model.config.n_head, model.config.n_head


def llama(model):
    sites = [{
        "resid_pre": Place(b, "in"), "attn_out": Place(b.self_attn, "out"), "mlp_out": Place(b.mlp, "out"),
        "attn.z": Place(b.self_attn.o_proj, "in"), "attn.v": Place(b.self_attn.v_proj, "out"),
    } for b in model.model.layers]
    return sites, model.config.num_attention_heads, model.config.num_key_value_heads


def gemma2(model):
    sites = [{
        "resid_pre": Place(b, "in"), "attn_out": Place(b.post_attention_layernorm, "out"),
        "mlp_out": Place(b.post_feedforward_layernorm, "out"),
        "attn.z": Place(b.self_attn.o_proj, "in"), "attn.v": Place(b.self_attn.v_proj, "out"),
    } for b in model.model.layers]
    return sites, model.config.num_attention_heads, model.config.num_key_value_heads


def bert(model):
    sites = [{
        "resid_pre": Place(b, "in"), "attn_out": Place(b.attention.output.dense, "out"), "mlp_out": Place(b.output.dense, "out"),
        "attn.z": Place(b.attention.output.dense, "in"), "attn.q": Place(b.attention.self.query, "out"),
        "attn.k": Place(b.attention.self.key, "out"), "attn.v": Place(b.attention.self.value, "out"),
    } for b in model.bert.encoder.layer]
    return sites, model.config.num_attention_heads, model.config.num_attention_heads


MODELS = {
    "gpt2": (AutoModelForCausalLM, gpt2),
    "llama": (AutoModelForCausalLM, llama),
    "gemma2": (AutoModelForCausalLM, gemma2),
    "bert": (AutoModelForMaskedLM, bert),
}


def scores(model, ids, position, changes=()):
    handles = [place.hook(change) for place, change in changes]
    logits = model(torch.tensor([ids])).logits[0, position]
    for handle in handles:
        handle.remove()
    return logits


def above(logits):
    return logits[ANSWERS[0]] - logits[ANSWERS[1]]


def head(x, at, heads):
    width = x.shape[-1] // heads
    return slice(at * width, (at + 1) * width)


def replaced(x, rows, columns, values):
    x = x.clone()
    x[rows, columns] = values[rows, columns] if torch.is_tensor(values) else values
    return x


def sweep(model, sites, heads, position, removal):
    """Change of the log-probability and KL(as it is || changed), heads and then the MLP of each layer."""
    own = scores(model, DESTINATION, position).log_softmax(-1)

    def effect(place, columns):
        def change(x):
            value = torch.zeros_like(x) if removal == "zero" else x.mean(0, keepdim=True).expand_as(x)
            return replaced(x, slice(None), columns(x), value)

        edited = scores(model, DESTINATION, position, [(place, change)]).log_softmax(-1)
        return [float(edited[ANSWERS[0]] - own[ANSWERS[0]]), float((own.exp() * (own - edited)).sum())]

    rows = []
    for layer in sites:
        of_heads = [effect(layer["attn.z"], lambda x, h=h: head(x, h, heads)) for h in range(heads)]
        rows.append(of_heads + [effect(layer["mlp_out"], lambda x: slice(None))])
    return float(own[ANSWERS[0]]), rows


def patching(model, sites, position, site, along, heads):
    taken = []
    keep = lambda x: taken.append(x.detach().clone())
    ends = [float(above(scores(model, ids, position, [(layer[site], keep) for layer in sites]))) for ids in (DESTINATION, SOURCE)]
    to, source = taken[: len(sites)], taken[len(sites) :]
    probes = [torch.zeros_like(x, requires_grad=True) for x in to]
    added = [(layer[site], lambda x, probe=probe: x + probe) for layer, probe in zip(sites, probes)]
    with torch.enable_grad():
        above(scores(model, DESTINATION, position, added)).backward()
    measured, estimated = [], []
    for layer, values, old, probe in zip(sites, source, to, probes):
        columns = range(len(DESTINATION)) if along == "positions" else range(heads)
        where = lambda at, x: (at, slice(None)) if along == "positions" else (slice(None), head(x, at, heads))
        patched = [above(scores(model, DESTINATION, position,
                                [(layer[site], lambda x: replaced(x, *where(at, x), values))])) for at in columns]
        measured.append([float((p - ends[0]) / (ends[1] - ends[0])) for p in patched])
        gradient = probe.grad if probe.grad is not None else torch.zeros_like(old)
        change = gradient * (values - old)
        estimated.append([float(change[where(at, change)].sum() / (ends[1] - ends[0])) for at in columns])
    return {"site": site, "along": along, "ends": ends, "measured": measured, "estimated": estimated}


def main():
    golden = {"source": SOURCE, "destination": DESTINATION, "answers": ANSWERS}
    for name, (kind, anatomy) in MODELS.items():
        model = kind.from_pretrained(HERE / name, attn_implementation="eager").double().eval()
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        sites, heads, kv_heads = anatomy(model)
        position = POSITION.get(name, len(DESTINATION) - 1)
        with torch.no_grad():
            sweeps = {removal: sweep(model, sites, heads, position, removal) for removal in ("zero", "mean")}
        maps = []
        for site in sites[0]:
            counts = {"attn.z": heads, "attn.q": heads, "attn.k": kv_heads, "attn.v": kv_heads}
            for along in ["positions", "heads"] if site in counts else ["positions"]:
                with torch.no_grad():
                    maps.append(patching(model, sites, position, site, along, counts.get(site, 0)))
        golden[name] = {"position": position, "sweeps": sweeps, "maps": maps}
    (HERE / "search.json").write_text(json.dumps(golden) + "\n")


main()
