"""Writes sampling.json, what transformers draws from after its processors of logits, and what it writes with them.

Of each case transformers builds its own list of processors (`_get_logits_processor`), in its own order, from the settings: bias,
penalty for repetition, temperature, top-k, top-p, min-p. The probabilities of what is left after the prompt are written, and the
likeliest continuation under bias and penalty. In float32 with eager attention.

    python tests/golden/make_sampling.py        (torch 2.15, transformers 5.24)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

HERE = pathlib.Path(__file__).parent
PROMPT = [1, 2, 3, 2, 5, 8, 2]
CASES = [
    {"temperature": 1.0, "repetition_penalty": 1.3},
    {"temperature": 0.7, "min_p": 0.2},
    {"temperature": 1.5, "top_k": 12, "top_p": 0.8, "min_p": 0.3},
    {"temperature": 0.9, "bias": {"4": 3.5, "2": -6.0}, "repetition_penalty": 1.8, "top_p": 0.9},
    {"temperature": 1.0, "bias": {"7": 2.0, "3": 1.0}, "repetition_penalty": 0.6, "top_k": 9, "min_p": 0.05},
]
NEW_TOKENS = 24


def settings(case, **more):
    bias = {(int(token),): value for token, value in case.get("bias", {}).items()} or None
    return GenerationConfig(
        repetition_penalty=case.get("repetition_penalty", 1.0), sequence_bias=bias, pad_token_id=0, eos_token_id=None, **more
    )


def drawn_from(model, case):
    config = settings(
        case, do_sample=True, temperature=case["temperature"], top_k=case.get("top_k", 0), top_p=case.get("top_p", 1.0),
        min_p=case.get("min_p"),
    )
    ids = torch.tensor([PROMPT])
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=len(PROMPT))
    with torch.no_grad():
        logits = model(ids).logits[:, -1]
    shares = processors(ids, logits.clone()).double().softmax(-1)[0]
    order = sorted(range(len(shares)), key=lambda token: (-shares[token].item(), token))
    return [[token, round(shares[token].item(), 7)] for token in order if shares[token] > 0]


def written(model, case):
    config = settings(case, do_sample=False, max_new_tokens=NEW_TOKENS)
    with torch.no_grad():
        return model.generate(torch.tensor([PROMPT]), generation_config=config)[0, len(PROMPT) :].tolist()


def main():
    torch.set_num_threads(1)
    result = {"prompt": PROMPT}
    for name in ["gpt2", "llama"]:
        model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
        # Nothing that the folder says about generation counts here.
        model.generation_config = GenerationConfig()
        result[name] = [case | {"drawn": drawn_from(model, case), "greedy": written(model, case)} for case in CASES]
    text = json.dumps(result).replace('{"temperature"', '\n{"temperature"')
    (HERE / "sampling.json").write_text(text + "\n")


main()
