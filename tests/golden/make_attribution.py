"""Writes attribution.json, what tests/attribution.rs compares direct logit attribution with.

transformers reads each sequence in one pass; everything is in float64, weights and values. Hooks take out what is added to the
residual stream; heads are taken at the input of the output projection. The parts are computed here from their definitions.

    python tests/golden/make_attribution.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DeiTForImageClassificationWithTeacher, ViTForImageClassification

HERE = pathlib.Path(__file__).parent
IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]
TARGET, AGAINST = 5, 17
# Classes of pictures.
CLASS, OTHER = 1, 3


def first(out):
    return out[0] if isinstance(out, tuple) else out


class Taken(dict):
    """What the last token had at named modules."""

    def __init__(self, outputs, inputs):
        super().__init__()
        for name, module in outputs.items():
            module.register_forward_hook(lambda _, a, out, name=name: self.__setitem__(name, first(out)[0, -1].detach()))
        for name, module in inputs.items():
            module.register_forward_pre_hook(lambda _, a, name=name: self.__setitem__(name, a[0][0, -1].detach()))


def gpt2(model):
    body, heads = model.transformer, model.config.n_head
    outputs = {"embed": body.wte, "pos": body.wpe}
    inputs = {"end": body.ln_f}
    for i, block in enumerate(body.h):
        outputs[f"mlp{i}"] = block.mlp
        inputs[f"z{i}"] = block.attn.c_proj
    taken = Taken(outputs, inputs)
    logits = model(torch.tensor([IDS])).logits[0, -1]
    norm, end = body.ln_f, taken["end"]
    s = (end.var(unbiased=False) + norm.eps).sqrt()

    def read(u):
        of = lambda c: float((norm.weight * u * (c - c.mean())).sum() / s)
        rows = [["embedding", of(taken["embed"])], ["position", of(taken["pos"])]]
        for i, block in enumerate(body.h):
            weight = block.attn.c_proj.weight.reshape(heads, -1, end.numel())
            z = taken[f"z{i}"].reshape(heads, -1)
            rows += [[f"head {i}.{h}", of(z[h] @ weight[h])] for h in range(heads)]
            rows += [[f"attention bias {i}", of(block.attn.c_proj.bias)], [f"MLP {i}", of(taken[f"mlp{i}"])]]
        return rows + [["bias of the last norm", float(norm.bias @ u)]]

    return logits, logits, read


def of_rms(model, sandwich):
    body, config = model.model, model.config
    heads = config.num_attention_heads
    outputs, inputs = {}, {"end": body.norm, "start": body.layers[0].input_layernorm}
    for i, block in enumerate(body.layers):
        outputs[f"mlp{i}"] = block.post_feedforward_layernorm if sandwich else block.mlp
        outputs[f"o{i}"] = block.self_attn.o_proj
        inputs[f"z{i}"] = block.self_attn.o_proj
    taken = Taken(outputs, inputs)
    logits = model(torch.tensor([IDS])).logits[0, -1]
    end, epsilon = taken["end"], config.rms_norm_eps
    gain = (1 if sandwich else 0) + body.norm.weight
    s = (end.square().mean() + epsilon).sqrt()
    uncapped = logits
    if sandwich:
        cap = config.final_logit_softcapping
        uncapped = cap * torch.atanh(logits / cap)

    def read(u):
        of = lambda c: float((gain * u * c).sum() / s)
        rows = [["embedding", of(taken["start"])]]
        for i, block in enumerate(body.layers):
            weight = block.self_attn.o_proj.weight.reshape(end.numel(), heads, -1)
            z = taken[f"z{i}"].reshape(heads, -1)
            scale = torch.ones_like(end)
            if sandwich:
                scale = (1 + block.post_attention_layernorm.weight) / (taken[f"o{i}"].square().mean() + epsilon).sqrt()
            rows += [[f"head {i}.{h}", of(weight[:, h] @ z[h] * scale)] for h in range(heads)]
            if block.self_attn.o_proj.bias is not None:
                rows += [[f"attention bias {i}", of(block.self_attn.o_proj.bias * scale)]]
            rows += [[f"MLP {i}", of(taken[f"mlp{i}"])]]
        return rows

    return logits, uncapped, read


def of_picture(model, pixels):
    body = model.vit if hasattr(model, "vit") else model.deit
    scored = [model.cls_classifier, model.distillation_classifier] if hasattr(model, "cls_classifier") else [model.classifier]
    taken, blocks, heads = {}, body.layers, model.config.num_attention_heads
    keep = lambda name: lambda _, a, out: taken.__setitem__(name, first(out)[0, : len(scored)].detach())
    before = lambda name: lambda _, a: taken.__setitem__(name, a[0][0, : len(scored)].detach())
    body.embeddings.register_forward_hook(keep("start"))
    body.layernorm.register_forward_pre_hook(before("end"))
    for i, block in enumerate(blocks):
        block.attention.o_proj.register_forward_pre_hook(before(f"z{i}"))
        block.mlp.fc2.register_forward_hook(keep(f"mlp{i}"))
    logits = model(pixels[None]).logits[0]
    norm, end = body.layernorm, taken["end"]
    s = (end.var(1, unbiased=False) + norm.eps).sqrt()
    position = body.embeddings.position_embeddings[0, : len(scored)].detach()

    def read(one, other):
        # A head of scores for each special token; the answer is their mean.
        above = lambda x: (x[one] - (x[other] if other is not None else x.mean(0))) / len(scored)
        u = torch.stack([above(head.weight) for head in scored])
        centred = lambda c: c - c.mean(1, keepdim=True)
        of = lambda c: float((norm.weight * u * centred(c) / s[:, None]).sum())
        rows = [["embedding", of(taken["start"] - position)], ["position", of(position)]]
        for i, block in enumerate(blocks):
            out = block.attention.o_proj
            weight, z = out.weight.reshape(end.shape[1], heads, -1), taken[f"z{i}"].reshape(len(scored), heads, -1)
            rows += [[f"head {i}.{h}", of(z[:, h] @ weight[:, h].T)] for h in range(heads)]
            rows += [[f"attention bias {i}", of(out.bias.expand(len(scored), -1))], [f"MLP {i}", of(taken[f"mlp{i}"])]]
        rows += [["bias of the last norm", float((norm.bias * u).sum())]]
        return rows + [["bias of the scores", float(sum(above(head.bias) for head in scored))]]

    return logits, read


def without(modules, score):
    """The score where one head, or one MLP, adds nothing: a head before the output projection, where heads are apart."""
    scores = {}
    for i, (projection, mlp, heads) in enumerate(modules):

        def off(_, a, head):
            z = a[0].clone()
            width = z.shape[-1] // heads
            z[..., head * width : (head + 1) * width] = 0
            return (z, *a[1:])

        for h in range(heads):
            hook = projection.register_forward_pre_hook(lambda m, a, h=h: off(m, a, h))
            scores[f"head {i}.{h}"] = float(score())
            hook.remove()
        hook = mlp.register_forward_hook(lambda m, a, out: torch.zeros_like(out))
        scores[f"MLP {i}"] = float(score())
        hook.remove()
    return scores


def main():
    torch.set_num_threads(1)
    written = {"ids": IDS, "target": TARGET, "against": AGAINST}
    for name in ["gpt2", "llama", "gemma2"]:
        model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float64, attn_implementation="eager").eval()
        with torch.no_grad():
            logits, uncapped, read = gpt2(model) if name == "gpt2" else of_rms(model, name == "gemma2")
            table = model.lm_head.weight
            cases = {}
            for case, u, score in [
                ("token", table[TARGET] - table[AGAINST], uncapped[TARGET] - uncapped[AGAINST]),
                ("mean", table[TARGET] - table.mean(0), uncapped[TARGET] - uncapped.mean()),
            ]:
                rows = read(u)
                missing = float(score) - sum(value for _, value in rows)
                assert abs(missing) < 1e-5 * max(abs(value) for _, value in rows), (name, case, missing)
                cases[case] = {"score": float(score), "parts": rows}
            cap = getattr(model.config, "final_logit_softcapping", None)

            def score():
                logits = model(torch.tensor([IDS])).logits[0, -1]
                logits = cap * torch.atanh(logits / cap) if cap else logits
                return logits[TARGET] - logits[AGAINST]

            if name == "gpt2":
                modules = [(b.attn.c_proj, b.mlp, model.config.n_head) for b in model.transformer.h]
            else:
                mlp = lambda b: b.post_feedforward_layernorm if name == "gemma2" else b.mlp
                heads = model.config.num_attention_heads
                modules = [(b.self_attn.o_proj, mlp(b), heads) for b in model.model.layers]
            cases["without"] = without(modules, score)
        written[name] = cases | {"logits": [float(logits[TARGET]), float(logits[AGAINST])]}
    for name, kind in [("vit", ViTForImageClassification), ("deit", DeiTForImageClassificationWithTeacher)]:
        model = kind.from_pretrained(HERE / name, dtype=torch.float64, attn_implementation="eager").eval()
        pixels = load_file(HERE / name / "reference.safetensors")["pixels.0"].double()
        with torch.no_grad():
            logits, read = of_picture(model, pixels)
            cases = {"logits": [float(logits[CLASS]), float(logits[OTHER])]}
            for case, other, mean in [("class", OTHER, logits[OTHER]), ("mean", None, logits.mean())]:
                rows, score = read(CLASS, other), float(logits[CLASS] - mean)
                missing = score - sum(value for _, value in rows)
                assert abs(missing) < 1e-9, (name, case, missing)
                cases[case] = {"score": score, "parts": rows}
            body = model.vit if name == "vit" else model.deit
            modules = [(b.attention.o_proj, b.mlp, model.config.num_attention_heads) for b in body.layers]

            def score():
                logits = model(pixels[None]).logits[0]
                return logits[CLASS] - logits[OTHER]

            cases["without"] = without(modules, score)
        written[name] = cases
    written |= {"class": CLASS, "other": OTHER}
    (HERE / "attribution.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
