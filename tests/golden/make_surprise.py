"""Writes surprise.json, the log-probability and the place of every token of some texts.

Each text is read by transformers in one uncached pass in float32 with eager attention. Of equally likely tokens the one with the
lower id stands first.

    python tests/golden/make_surprise.py        (torch 2.15, transformers 5.24)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent.parent / "models"
TEXTS = {
    HERE / "gpt2": ["red is rot, blue is blau.", "ab"],
    HERE / "llama": ["one two three one two three"],
    HERE / "gemma2": ["one two three one two three"],
    MODELS / "seedling": [
        "Once upon a time, there was a little girl named Lily.", "hot = cold\nbig = small\nhappy = sad\n", "zß¼ wider",
    ],
}


def read(model, tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
    log_probs, ranks = [], []
    for place, token in enumerate(ids[1:]):
        row = logits[place]
        log_probs.append(round(row.log_softmax(-1)[token].item(), 7))
        ranks.append(1 + int((row > row[token]).sum()) + int((row[:token] == row[token]).sum()))
    return {"text": text, "ids": ids, "log_probs": log_probs, "ranks": ranks}


def main():
    torch.set_num_threads(1)
    result = {}
    for folder, texts in TEXTS.items():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        result[folder.name] = [read(model, tokenizer, text) for text in texts]
    (HERE / "surprise.json").write_text(json.dumps(result).replace('{"text"', '\n{"text"') + "\n")


main()
