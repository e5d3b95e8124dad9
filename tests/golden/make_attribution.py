"""Writes attribution.json, what tests/attribution.rs compares direct logit attribution with.

transformers reads each sequence in one pass; everything is in float64, weights and values. Hooks take out what is added to the
residual stream; heads are taken at the input of the output projection. The parts are computed here from their definitions.

    python tests/golden/make_attribution.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]
TARGET, AGAINST = 5, 17


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
        written[name] = cases | {"logits": [float(logits[TARGET]), float(logits[AGAINST])]}
    (HERE / "attribution.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
