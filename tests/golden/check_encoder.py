"""Opens an encoder that Fovea trained in transformers, and in sentence-transformers where it is one for sentences, and compares what both
make of some texts with what Fovea makes of them.

    python tests/golden/check_encoder.py FOVEA FOLDER        (torch, transformers, sentence-transformers)
"""

import json
import pathlib
import subprocess
import sys

import torch
from transformers import AutoTokenizer, BertForMaskedLM

TEXTS = ["A cat sits on the mat.", "The little girl ran into the garden!", "Caf\u00e9 \u6f22\u5b57, 3.14", "It was a dark night, and nobody came"]


def main(fovea, folder):
    said = lambda *what: json.loads(subprocess.run([fovea, *what, "--model", folder, "--json"], capture_output=True, check=True).stdout)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, told = BertForMaskedLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"], told
    model.eval()
    text = "The little [MASK] went to the [MASK]."
    ids = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        shares = model(**ids).logits[0].softmax(-1)
    places = (ids["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten().tolist()
    masks = said("fill", "--prompt", text)["masks"]
    assert [mask["position"] for mask in masks] == places, masks
    worst = max(abs(c["prob"] - shares[mask["position"], c["id"]].item()) for mask in masks for c in mask["candidates"])
    print(f"{tokenizer.__class__.__name__}: probabilities of blanks differ by {worst:.1e} at most")
    assert worst < 1e-4
    vectors = said("embed", *(part for text in TEXTS for part in ("--text", text)))["embeddings"]
    if (pathlib.Path(folder) / "modules.json").is_file():
        from sentence_transformers import SentenceTransformer

        theirs = torch.tensor(SentenceTransformer(folder, device="cpu").encode(TEXTS))
    else:
        with torch.no_grad():
            batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
            seen = batch["attention_mask"][..., None]
            theirs = (model.bert(**batch).last_hidden_state * seen).sum(1) / seen.sum(1)
    ours = torch.tensor([row["vector"] for row in vectors])
    worst = (ours - theirs).abs().max().item() / theirs.abs().max().item()
    print(f"vectors of {len(TEXTS)} texts differ by {worst:.1e} at most, relative to the largest value")
    assert worst < 1e-3


if __name__ == "__main__":
    main(*sys.argv[1:])
