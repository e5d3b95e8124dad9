"""Opens an adapter that Fovea wrote in PEFT, and compares the logits of both. By hand, since it needs a trained adapter:

    python tests/golden/check_adapter.py target/release/fovea BASE ADAPTER        (torch 2.15, transformers 5.23, peft 0.21)

An adapter for classes of texts, whose settings say SEQ_CLS, is compared by the scores of a few texts, on the body that it was learned on.

Fails where the largest difference is more than 1e-5 of the largest logit and more than three times what the two differ by on the base
alone (sums of a deep model in another order), or PEFT finds another set of tensors than it expects.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

TEXTS = ["ab ab", "xyxyxy", "a charming film, well acted", "no"]
IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]


def main():
    binary, base, adapter = sys.argv[1:4]
    # What PEFT only warns of is a failure here.
    warnings.filterwarnings("error", message=".*missing adapter keys.*")
    settings = json.loads((pathlib.Path(adapter) / "adapter_config.json").read_text())
    if settings["task_type"] == "SEQ_CLS":
        return check_classes(binary, base, adapter)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        of_base = model(torch.tensor([IDS])).logits[0]
        model = PeftModel.from_pretrained(model, adapter).eval()
        theirs = model(torch.tensor([IDS])).logits[0]
    learned = {name: value for name, value in model.state_dict().items() if ".lora_" in name}
    stored = load_file(pathlib.Path(adapter) / "adapter_model.safetensors")
    names = {name.replace(".default.", ".") for name in learned}
    assert names == set(stored), names ^ set(stored)
    off_base = off(fovea(binary, base, []), of_base)
    off_adapted = off(fovea(binary, base, ["--adapter", adapter]), theirs)
    moved = (theirs - of_base).abs().max().item()
    print(f"{len(stored)} tensors; the adapter moves logits by up to {moved:.3g}; Fovea and PEFT differ by {off_adapted:.1e} of the "
          f"largest, and by {off_base:.1e} without the adapter")
    assert moved > 0 and off_adapted < max(1e-5, 3 * off_base)


def check_classes(binary, base, adapter):
    labels = json.loads((pathlib.Path(adapter) / "labels.json").read_text())["id2label"]
    kind = transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(base, num_labels=len(labels), dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(model, adapter).eval()
    given = [tokenizer(text, return_tensors="pt", return_token_type_ids=False) for text in TEXTS]
    with torch.no_grad():
        theirs = torch.cat([model(**text).logits for text in given])
    stored = load_file(pathlib.Path(adapter) / "adapter_model.safetensors")
    learned = {name for name in model.state_dict() if ".lora_" in name or ".modules_to_save." in name}
    names = {name.replace(".modules_to_save.default", "").replace(".default.", ".") for name in learned}
    assert names == set(stored), names ^ set(stored)
    command = [binary, "classify", "--model", base, "--adapter", adapter, "--json", "--device", "cpu"]
    command += [part for text in TEXTS for part in ("--text", text)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    ours = torch.tensor([text["scores"] for text in answer["texts"]])
    difference = off(ours, theirs)
    print(f"{len(stored)} tensors, {len(labels)} classes; scores of Fovea and PEFT differ by {difference:.1e} of the largest")
    assert difference < 1e-5


def off(ours, theirs):
    return (ours.reshape(theirs.shape) - theirs).abs().max().item() / theirs.abs().max().item()


def fovea(binary, base, more):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "values.safetensors"
        ids = ",".join(map(str, IDS))
        command = [binary, "inspect", "--model", base, *more, "--ids", ids, "--sites", "logits", "--out", out, "--device", "cpu"]
        subprocess.run(command, check=True, capture_output=True)
        values = load_file(out)
    return next(value for name, value in values.items() if name.endswith("logits"))


if __name__ == "__main__":
    main()
