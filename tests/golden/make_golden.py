"""Writes the golden values that tests/parity.rs compares with.

For each tiny random model: a folder in Hugging Face layout (config.json, tokenizer.json, model.safetensors) and, beside
it, reference.safetensors with token ids, the value at every site of the forward pass, the logits of a padded batch, the
loss, the gradient of every parameter, the losses of ten AdamW steps, and a greedy continuation. All values are computed by
transformers itself, with eager attention, in float32 on one thread. The site names are Fovea's.

    python tests/golden/make_golden.py [name ...]        (torch 2.15, transformers 5.23)
"""

import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig,
    LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)

HERE = pathlib.Path(__file__).parent
VOCABULARY, LAYERS, TOKENS, PROMPT = 64, 2, 12, 4
END = VOCABULARY - 1
ADAMW = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}
COMMON = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": END, "attn_implementation": "eager"}


def gpt2():
    return GPT2LMHeadModel(
        GPT2Config(
            n_positions=72, n_embd=32, n_layer=LAYERS, n_head=4, n_inner=48, attn_pdrop=0.0, embd_pdrop=0.0,
            resid_pdrop=0.0, **COMMON,
        )
    )


def llama_like(model, config, **changes):
    """Llama and its relatives, whose configurations share most names."""
    shape = {
        "max_position_embeddings": 128, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False, "pad_token_id": None,
    }
    return lambda: model(config(**(shape | COMMON | changes)))


def llama(**changes):
    return llama_like(LlamaForCausalLM, LlamaConfig, **changes)


def gpt_neox(**changes):
    # Heads of 8 values, of which the first 4 turn.
    shape = {
        "max_position_embeddings": 128, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": LAYERS,
        "num_attention_heads": 2, "rotary_pct": 0.5,
    }
    return lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**(shape | COMMON | changes)))


LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
WIDER = {"hidden_size": 32, "intermediate_size": 48}

# The element type of the file also differs, so that all three are read. Windows and original contexts are shorter than the
# sequences, and the bounds of Gemma's scores are low enough to be felt.
MODELS = {
    "gpt2": (gpt2, torch.float32),
    "gpt-neox": (gpt_neox(), torch.float16),
    "gpt-neox-sequential": (
        gpt_neox(
            use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new", tie_word_embeddings=True,
            rope_parameters={"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0, "partial_rotary_factor": 0.5},
        ),
        torch.float32,
    ),
    "llama": (llama(max_position_embeddings=32, **WIDER), torch.float16),
    "llama-tied": (llama(tie_word_embeddings=True, attention_bias=True, mlp_bias=True, head_dim=6), torch.bfloat16),
    "llama3": (llama(rope_parameters=LLAMA3_ROPE), torch.bfloat16),
    "mistral": (llama_like(MistralForCausalLM, MistralConfig, sliding_window=5), torch.bfloat16),
    "qwen2": (
        llama_like(
            Qwen2ForCausalLM, Qwen2Config, use_sliding_window=True, sliding_window=5, max_window_layers=1,
            tie_word_embeddings=True,
        ),
        torch.float32,
    ),
    "qwen3": (llama_like(Qwen3ForCausalLM, Qwen3Config, head_dim=8), torch.bfloat16),
    "gemma2": (
        llama_like(
            Gemma2ForCausalLM, Gemma2Config, head_dim=8, query_pre_attn_scalar=12, sliding_window=5,
            attn_logit_softcapping=1.5, final_logit_softcapping=2.0, tie_word_embeddings=True,
        ),
        torch.bfloat16,
    ),
}


def randomise(model, dtype, seed, scale):
    """Weights large enough that every site differs clearly, exactly representable in the file's element type."""
    generator = torch.Generator().manual_seed(seed)
    around_zero = isinstance(model, Gemma2ForCausalLM)  # its gains are stored as what is added to 1
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = ("norm" in name or "ln_" in name) and name.endswith("weight")
            # A half of a block whose output is normalised must speak up against the scaled embedding.
            louder = 2.0 if name.endswith(("post_attention_layernorm.weight", "post_feedforward_layernorm.weight")) else 0.0
            gain = (louder if around_zero else 1.0) + 0.2 * noise
            # The larger the other weights beside the embedding, the less does each token predict itself.
            values = gain if is_gain else (0.25 if "embed" in name else scale) * noise
            parameter.copy_(values.to(dtype).float())
    return generator


class Anatomy:
    """Where the parts of a model are."""

    def __init__(self, model):
        self.modeling = sys.modules[type(model).__module__]
        if isinstance(model, GPT2LMHeadModel):
            body = model.transformer
            self.embed, self.positions, self.final, self.layers = body.wte, body.wpe, body.ln_f, body.h
            self.parts = lambda b: (b.ln_1, b.attn, b.ln_2, b.mlp, b.mlp.c_fc, b.mlp.c_proj)
        elif isinstance(model, GPTNeoXForCausalLM):
            body = model.gpt_neox
            self.embed, self.positions, self.final, self.layers = body.embed_in, None, body.final_layer_norm, body.layers
            self.parts = lambda b: (
                b.input_layernorm, b.attention, b.post_attention_layernorm, b.mlp, b.mlp.dense_h_to_4h, b.mlp.dense_4h_to_h,
            )
        else:
            body = model.model
            self.embed, self.positions, self.final, self.layers = body.embed_tokens, None, body.norm, body.layers
            self.parts = lambda b: (
                b.input_layernorm, b.self_attn, getattr(b, "pre_feedforward_layernorm", b.post_attention_layernorm),
                b.mlp, b.mlp.gate_proj, b.mlp.down_proj,
            )
        self.post_norms = isinstance(model, Gemma2ForCausalLM)
        self.parallel = isinstance(model, GPTNeoXForCausalLM) and model.config.use_parallel_residual


def record_sites(model, ids):
    """The value at every site, batch dimension dropped. Scores and patterns are taken from transformers' own eager
    attention: its softmax is watched while it runs."""
    sites, hooks = {}, []

    def keep(name, value):
        sites[name] = value.detach()[0].clone().contiguous()

    def on_output(module, name):
        def hook(_module, _inputs, output):
            keep(name, output[0] if isinstance(output, tuple) else output)

        hooks.append(module.register_forward_hook(hook))

    def on_input(module, name):
        def hook(_module, inputs, kwargs):
            keep(name, inputs[0] if inputs else kwargs["hidden_states"])

        hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    body = Anatomy(model)
    on_output(body.embed, "embed")
    if body.positions is not None:
        on_output(body.positions, "pos_embed")
    on_output(body.final, "ln_final")
    layer_of = {}
    for layer, block in enumerate(body.layers):
        at = f"blocks.{layer}."
        norm_attn, attention, norm_mlp, mlp, mlp_in, mlp_out = body.parts(block)
        layer_of[attention] = at
        on_input(norm_attn, at + "resid_pre")
        if not body.parallel:
            on_input(norm_mlp, at + "resid_mid")
        on_output(mlp_in, at + "mlp.pre")
        on_input(mlp_out, at + "mlp.post")
        if body.post_norms:
            on_output(attention, at + "attn.proj")
            on_output(mlp, at + "mlp.proj")
            on_output(block.post_attention_layernorm, at + "attn_out")
            on_output(block.post_feedforward_layernorm, at + "mlp_out")
        else:
            on_output(attention, at + "attn_out")
            on_output(mlp, at + "mlp_out")
        if layer > 0:
            # A block's output is the next block's input.
            on_input(norm_attn, f"blocks.{layer - 1}.resid_post")
    on_input(body.final, f"blocks.{LAYERS - 1}.resid_post")

    eager, softmax = body.modeling.eager_attention_forward, torch.nn.functional.softmax

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

    body.modeling.eager_attention_forward = watched_attention
    try:
        with torch.no_grad():
            keep("logits", model(ids).logits)
    finally:
        body.modeling.eager_attention_forward = eager
        torch.nn.functional.softmax = softmax
        for hook in hooks:
            hook.remove()
    expected = 3 + (body.positions is not None) + (13 - body.parallel + 2 * body.post_norms) * LAYERS
    assert len(sites) == expected, f"{len(sites)} sites, not {expected}: {sorted(sites)}"
    return sites


def greedy(model, prompt, length):
    """The most likely continuation up to `length` tokens, and how clear each choice was."""
    ids, margin = prompt, float("inf")
    with torch.no_grad():
        while ids.shape[1] < length:
            best = model(ids).logits[0, -1].topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            ids = torch.cat([ids, best.indices[:1].reshape(1, 1)], 1)
    return ids, margin


def length_of(model):
    return min(PROMPT + 64, model.config.max_position_embeddings)


def find_weights(make, dtype, first_seed):
    """Random weights whose greedy continuation wanders and never hangs on a rounding error."""
    for scale in (0.25, 0.35, 0.5, 0.7, 1.0):
        for seed in range(first_seed, first_seed + 40):
            model = make().eval()
            generator = randomise(model, dtype, seed, scale)
            ids = torch.randint(0, END, (2, TOKENS), generator=generator)
            continued, margin = greedy(model, ids[:1, :PROMPT], length_of(model))
            fresh = continued[0, PROMPT:].tolist()
            late = fresh[len(fresh) // 2 :]
            if margin > 1e-3 and len(set(late)) >= len(late) // 4 and END not in fresh:
                return model, ids, continued, (seed, scale, round(margin, 4), len(set(fresh)))
    raise SystemExit("no weights give a lively sequence")


def padded(model, ids, side):
    """Logits of the first sequence beside a shorter piece of the second. Positions are counted from the first real token,
    as transformers' generate does."""
    short = TOKENS - 5
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    batch = ids.clone()
    if side == "left":
        mask[1, : TOKENS - short] = 0
        batch[1, TOKENS - short :] = ids[1, :short]
    else:
        mask[1, short:] = 0
    positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)
    with torch.no_grad():
        logits = model(batch, attention_mask=mask, position_ids=positions).logits
    return {
        f"padded.{side}.ids": batch.int(), f"padded.{side}.mask": mask.int(),
        # Only what is said at real tokens means something.
        f"padded.{side}.logits": logits[mask.bool()].contiguous(),
    }


def write_tokenizer(folder):
    """One character a token, with the spelling of byte-level BPE."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345.,!?Ġ"
    vocabulary = {letter: index for index, letter in enumerate(letters[:END])}
    vocabulary["<|end|>"] = END
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def write(name, make, dtype):
    model, ids, continued, how = find_weights(make, dtype, 100 * list(MODELS).index(name))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    half = make()
    half.load_state_dict(model.state_dict())
    half.to(dtype).save_pretrained(folder)
    write_tokenizer(folder)

    reference = {"ids": ids.int(), "greedy": continued[0].int()}
    reference.update({f"site.{site}": value for site, value in record_sites(model, ids[:1]).items()})
    reference.update(padded(model, ids, "left"))
    reference.update(padded(model, ids, "right"))

    loss = model(ids, labels=ids).loss
    loss.backward()
    reference["loss"] = loss.detach().reshape(1)
    # The file calls GPT-NeoX's head by its old name.
    in_file = lambda n: "embed_out.weight" if n == "lm_head.weight" and name.startswith("gpt-neox") else n
    reference.update({f"grad.{in_file(n)}": p.grad.clone().contiguous() for n, p in model.named_parameters()})
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
    size = sum(f.stat().st_size for f in folder.iterdir()) // 1024
    print(f"{name}: seed, scale, margin, distinct tokens {how}, loss {losses[0]:.3f} to {losses[-1]:.3f}, {size} KiB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MODELS:
        write(name, *MODELS[name])
