"""Writes writes.safetensors: what heads write for each token, and how layers pass attention on, for tests/inspector.rs.

For each model that make_golden.py and make_golden_encoders.py wrote, over the sequence or picture of its reference:

    NAME.LAYER.lengths    |v_j W_O| of each head for each token, [H, T]
    NAME.LAYER.together   |sum over heads of A[i, j] v_j W_O|, [T, T]
    NAME.rollout          product over layers of the row-normalised mean of heads plus identity, [T, T]

Values and patterns are transformers' own: of decoders and pictures those of the reference, of encoders those for tokens that are
all of type 0. What one head writes is asked of the output projection itself:
it is given the values in that head's place and nothing in the others, and its bias is taken off. All sums are in F64.

    python tests/golden/make_writes.py        (torch 2.15, transformers 5.24)
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, ViTForImageClassification

HERE = pathlib.Path(__file__).parent
DECODERS = ["gpt2", "gpt-neox", "llama", "llama-tied", "mistral", "qwen2", "qwen3", "gemma2"]
ENCODERS = ["bert", "roberta", "distilbert"]


def projections(model):
    body, kind = model.base_model, model.config.model_type
    if kind == "gpt2":
        return [block.attn.c_proj for block in body.h]
    if kind == "gpt_neox":
        return [block.attention.dense for block in body.layers]
    if kind in ("bert", "roberta"):
        return [block.attention.output.dense for block in body.encoder.layer]
    if kind == "distilbert":
        return [block.attention.out_lin for block in body.transformer.layer]
    if kind == "vit":
        return [block.attention.o_proj for block in body.layers]
    return [block.self_attn.o_proj for block in body.layers]


def values_of(model, ids):
    """Patterns and values of an encoder that reads `ids` as tokens of type 0, by the names of the reference's sites."""
    kept, hooks = {}, []
    kind = model.config.model_type
    blocks = model.base_model.transformer.layer if kind == "distilbert" else model.base_model.encoder.layer
    heads = model.config.num_attention_heads
    for layer, block in enumerate(blocks):
        project = block.attention.v_lin if kind == "distilbert" else block.attention.self.value

        def keep(_module, _inputs, output, layer=layer):
            kept[f"site.blocks.{layer}.attn.v"] = output[0].view(output.shape[1], heads, -1).transpose(0, 1)

        hooks.append(project.register_forward_hook(keep))
    for layer, pattern in enumerate(model(ids, output_attentions=True).attentions):
        kept[f"site.blocks.{layer}.attn.pattern"] = pattern[0]
    for hook in hooks:
        hook.remove()
    return kept


def one(name, model, out):
    model = model.double().eval()
    reference = load_file(HERE / name / "reference.safetensors")
    if name in ENCODERS:
        reference = values_of(model, reference["ids"][:1].long())
    heads = model.config.num_attention_heads
    rollout = None
    for layer, project in enumerate(projections(model)):
        pattern = reference[f"site.blocks.{layer}.attn.pattern"].double()  # [H, T, T]
        values = reference[f"site.blocks.{layer}.attn.v"].double()  # [G, T, K]
        groups, tokens, width = values.shape
        written = []
        for head in range(heads):
            placed = torch.zeros(tokens, heads * width, dtype=torch.float64)
            placed[:, head * width:(head + 1) * width] = values[head // (heads // groups)]
            written.append(project(placed) - project(torch.zeros_like(placed)))
        written = torch.stack(written)  # [H, T, D]
        together = torch.einsum("hij,hjd->ijd", pattern, written)
        out[f"{name}.{layer}.lengths"] = written.norm(dim=-1)
        out[f"{name}.{layer}.together"] = together.norm(dim=-1)
        mixed = pattern.mean(0) + torch.eye(tokens, dtype=torch.float64)
        mixed = mixed / mixed.sum(-1, keepdim=True)
        rollout = mixed if rollout is None else mixed @ rollout
    out[f"{name}.rollout"] = rollout


def main():
    out = {}
    with torch.no_grad():
        for name in DECODERS:
            one(name, AutoModelForCausalLM.from_pretrained(HERE / name, attn_implementation="eager"), out)
        for name in ENCODERS:
            one(name, AutoModel.from_pretrained(HERE / name, attn_implementation="eager"), out)
        one("vit", ViTForImageClassification.from_pretrained(HERE / "vit", attn_implementation="eager"), out)
    save_file({name: tensor.float().contiguous() for name, tensor in out.items()}, HERE / "writes.safetensors")


main()
