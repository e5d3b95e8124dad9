"""Writes the golden values that tests/parity.rs compares with.

For each tiny random model: a folder in Hugging Face layout (config.json, tokenizer.json, model.safetensors) and, beside
it, reference.safetensors with token ids, the value at every site of the forward pass, the loss, the gradient of every
parameter, the losses of ten AdamW steps, and a greedy continuation. All values are computed by transformers itself, with
eager attention, in float32 on one thread. The site names are Fovea's.

    python tests/golden/make_golden.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.models.gpt2 import modeling_gpt2
from transformers.models.llama import modeling_llama

HERE = pathlib.Path(__file__).parent
VOCABULARY, WIDTH, HEADS, KV_HEADS, MLP, LAYERS, CONTEXT, TOKENS = 64, 32, 4, 2, 48, 2, 32, 12
ADAMW = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}


def gpt2():
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_inner=MLP,
            attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=None, eos_token_id=63,
            attn_implementation="eager",
        )
    )


def llama(**changes):
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=WIDTH, intermediate_size=MLP,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, bos_token_id=None,
            eos_token_id=63, attn_implementation="eager", **changes,
        )
    )


LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}

# The element type of the file also differs, so that all three are read.
MODELS = {
    "gpt2": (gpt2, torch.float32),
    "llama": (lambda: llama(tie_word_embeddings=False), torch.float16),
    "llama-tied": (
        lambda: llama(
            tie_word_embeddings=True, attention_bias=True, mlp_bias=True, head_dim=6, rope_parameters=LLAMA3_ROPE
        ),
        torch.bfloat16,
    ),
}


def randomise(model, dtype, generator):
    """Weights large enough that every site differs clearly, exactly representable in the file's element type."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = "norm" in name or "ln_" in name
            values = 1 + 0.2 * noise if is_gain and name.endswith("weight") else 0.25 * noise
            parameter.copy_(values.to(dtype).float())


def record_sites(model, ids):
    """The value at every site, batch dimension dropped. Scores and patterns are taken from transformers' own eager
    attention: its softmax is watched while it runs."""
    sites = {}

    def keep(name, value):
        sites[name] = value.detach()[0].clone().contiguous()

    def on_output(module, name, part=None):
        def hook(_module, _inputs, output):
            keep(name, output if part is None else output[part])

        return module.register_forward_hook(hook)

    def on_input(module, name):
        def hook(_module, inputs, kwargs):
            keep(name, inputs[0] if inputs else kwargs["hidden_states"])

        return module.register_forward_pre_hook(hook, with_kwargs=True)

    is_gpt2 = isinstance(model, GPT2LMHeadModel)
    modeling = modeling_gpt2 if is_gpt2 else modeling_llama
    body = model.transformer if is_gpt2 else model.model
    hooks = [
        on_output(body.wte if is_gpt2 else body.embed_tokens, "embed"),
        on_output(body.ln_f if is_gpt2 else body.norm, "ln_final"),
        on_output(model.lm_head, "logits"),
    ]
    if is_gpt2:
        hooks.append(on_output(body.wpe, "pos_embed"))
    layer_of = {}
    for layer, block in enumerate(body.h if is_gpt2 else body.layers):
        at = f"blocks.{layer}."
        attention = block.attn if is_gpt2 else block.self_attn
        layer_of[attention] = at
        hooks += [
            on_input(block.ln_1 if is_gpt2 else block.input_layernorm, at + "resid_pre"),
            on_output(attention, at + "attn_out", 0),
            on_input(block.ln_2 if is_gpt2 else block.post_attention_layernorm, at + "resid_mid"),
            on_output(block.mlp.c_fc if is_gpt2 else block.mlp.gate_proj, at + "mlp.pre"),
            on_input(block.mlp.c_proj if is_gpt2 else block.mlp.down_proj, at + "mlp.post"),
            on_output(block.mlp, at + "mlp_out"),
        ]
        if layer > 0:
            # A block's output is the next block's input.
            hooks.append(on_input(block.ln_1 if is_gpt2 else block.input_layernorm, f"blocks.{layer - 1}.resid_post"))
    hooks.append(on_input(body.ln_f if is_gpt2 else body.norm, f"blocks.{LAYERS - 1}.resid_post"))

    eager, softmax = modeling.eager_attention_forward, torch.nn.functional.softmax

    def watched_attention(module, query, key, value, *rest, **kwargs):
        at = layer_of[module] + "attn."
        keep(at + "q", query)
        keep(at + "k", key)
        keep(at + "v", value)

        def watched_softmax(scores, *rest, **kwargs):
            keep(at + "scores", scores)
            return softmax(scores, *rest, **kwargs)

        torch.nn.functional.softmax = watched_softmax
        output, pattern = eager(module, query, key, value, *rest, **kwargs)
        torch.nn.functional.softmax = softmax
        keep(at + "pattern", pattern)
        keep(at + "z", output.transpose(1, 2))
        return output, pattern

    modeling.eager_attention_forward = watched_attention
    try:
        with torch.no_grad():
            model(ids)
    finally:
        modeling.eager_attention_forward = eager
        torch.nn.functional.softmax = softmax
        for hook in hooks:
            hook.remove()
    expected = 3 + is_gpt2 + 13 * LAYERS
    assert len(sites) == expected, f"{len(sites)} sites, not {expected}: {sorted(sites)}"
    return sites


def write_tokenizer(folder):
    """One character a token, with the spelling of byte-level BPE."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345.,!?Ġ"
    vocabulary = {letter: index for index, letter in enumerate(letters[: VOCABULARY - 1])}
    vocabulary["<|end|>"] = VOCABULARY - 1
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def write(name, make, dtype):
    generator = torch.Generator().manual_seed(len(name))
    model = make()
    randomise(model, dtype, generator)
    model.eval()
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    half = make()
    half.load_state_dict(model.state_dict())
    half.to(dtype).save_pretrained(folder)
    write_tokenizer(folder)

    ids = torch.randint(0, VOCABULARY - 1, (2, TOKENS), generator=generator)
    reference = {"ids": ids.int()}
    reference.update({f"site.{site}": value for site, value in record_sites(model, ids[:1]).items()})

    prompt = ids[:1, :4]
    with torch.no_grad():
        greedy = prompt
        for _ in range(16):
            greedy = torch.cat([greedy, model(greedy).logits[:, -1:].argmax(-1)], 1)
    reference["greedy"] = greedy[0].int()

    loss = model(ids, labels=ids).loss
    loss.backward()
    reference["loss"] = loss.detach().reshape(1)
    reference.update({f"grad.{n}": p.grad.clone().contiguous() for n, p in model.named_parameters()})
    model.zero_grad()

    optimiser = torch.optim.AdamW(model.parameters(), **ADAMW)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    reference["adamw_losses"] = torch.tensor(losses)
    save_file(reference, folder / "reference.safetensors")
    print(name, json.dumps([round(x, 4) for x in losses]), sum(f.stat().st_size for f in folder.iterdir()) // 1024, "KiB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (make, dtype) in MODELS.items():
        write(name, make, dtype)
