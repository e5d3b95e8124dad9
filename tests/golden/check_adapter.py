"""Opens an adapter that Fovea wrote in PEFT, and compares the logits of both. By hand, since it needs a trained adapter:

    python tests/golden/check_adapter.py target/release/fovea BASE ADAPTER        (torch 2.15, transformers 5.23, peft 0.21)

Fails where the largest difference is more than 1e-5 of the largest logit and more than three times what the two differ by on the base
alone (sums of a deep model in another order), or PEFT finds another set of tensors than it expects.
"""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]


def main():
    binary, base, adapter = sys.argv[1:4]
    # What PEFT only warns of is a failure here.
    warnings.filterwarnings("error", message=".*missing adapter keys.*")
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
