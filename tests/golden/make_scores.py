"""Writes scores.json, the log-probabilities of candidate answers that tests/scores.rs compares with.

Each candidate is read by transformers in one uncached pass after its prompt, in float32 with eager attention; the tokens are
those that follow the prompt's own when the tokenizer reads prompt, space, candidate and ending together.

    python tests/golden/make_scores.py        (torch 2.15, transformers 5.24)
"""

import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
SHARED = HERE.parent.parent.parent / "shared" / "models"
LETTERS = [
    {"prompt": "red is rot, blue is", "ending": ",", "candidates": ["blau", "rot", "a", "blaublau", "?!"]},
    {"prompt": "ab", "ending": "", "candidates": ["a", " a", "ab", "b"]},
]
# Sequences longer than the windows of the second model.
LONG = [{"prompt": "one two three one two", "ending": ".", "candidates": ["three", "one", "t"]}]
STORIES = [
    {
        "prompt": "Once upon a time, there was a little girl named Lily. She loved to play with her",
        "ending": "", "candidates": ["toys", "friends", "mother", "elephant", "ball and"],
    },
    {"prompt": "hot = cold\nbig = small\nhappy =", "ending": "\n", "candidates": ["sad", "happy", "sadder", "not happy"]},
    {"prompt": "The cat sat on the mat.\n", "ending": ".", "candidates": ["The dog", "It was\nhappy", "\"Hi\""]},
]
WORDS = [
    {"prompt": "hot = cold\nbig = small\nhappy =", "ending": "\n", "candidates": ["sad", "happier", "froh", "Happy"]},
    {"prompt": "dog, brown, grape -> brown\nred, ant, soup ->", "ending": "\n", "candidates": ["red", "ant", "soup", "zqx"]},
    {"prompt": "Q: Greece\nA: Athens\n\nQ: Romania\nA:", "ending": "\n", "candidates": ["Bucharest", "leu", "Athens"]},
]
MODELS = {
    "gpt2": (HERE / "gpt2", LETTERS + LONG),
    "llama": (HERE / "llama", LETTERS),
    "gemma2": (HERE / "gemma2", LETTERS + LONG),
    "seedling": (HERE.parent.parent / "models" / "seedling", WORDS + STORIES),
    "tinystories-656k": (SHARED / "tinystories-656k", STORIES),
}


def answer_ids(tokenizer, prompt, answer):
    ids = tokenizer(prompt)["input_ids"]
    both = tokenizer(prompt + answer)["input_ids"]
    if both[: len(ids)] == ids:
        return ids, both[len(ids) :]
    # A token would stretch over the border: the answer is split by itself, behind an anchor that takes the space which some
    # tokenizers put before every text.
    plain = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    for anchor in "=.a":
        before, both = plain(anchor), plain(anchor + answer)
        if both[: len(before)] == before:
            return ids, both[len(before) :]
    return ids, plain(answer)


def scored(model, tokenizer, case, text):
    needs_space = not case["prompt"][-1].isspace() and not text[0].isspace()
    prompt, answer = answer_ids(tokenizer, case["prompt"], (" " if needs_space else "") + text + case["ending"])
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0].double()
    log_probs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return {
        "text": text, "ids": answer,
        "log_probs": [round(log_probs[place, token].item(), 7) for place, token in enumerate(answer)],
    }


def main():
    torch.set_num_threads(1)
    written = {}
    for name, (folder, cases) in MODELS.items():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        written[name] = [
            case | {"candidates": [scored(model, tokenizer, case, text) for text in case["candidates"]]} for case in cases
        ]
    (HERE / "scores.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
