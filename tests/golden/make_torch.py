"""Writes weight files in PyTorch's own format for the tests of the loader, all from the golden llama-tied model.

- whole.bin: every tensor, the old names of normalisation weights not among them.
- shard-1.bin, shard-2.bin, index.json: the same in two files.
- runs-code.bin: a file whose instructions create the file `executed` when something obeys them.

    python tests/golden/make_torch.py        (torch 2.15)
"""

import json
import pathlib

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent


class Trap:
    def __reduce__(self):
        return (open, ("executed", "w"))


def main():
    out = HERE / "torch"
    out.mkdir(exist_ok=True)
    tensors = load_file(HERE / "llama-tied" / "model.safetensors")
    torch.save(tensors, out / "whole.bin")
    names = sorted(tensors)
    shards = {"shard-1.bin": names[::2], "shard-2.bin": names[1::2]}
    for file, part in shards.items():
        torch.save({name: tensors[name] for name in part}, out / file)
    weight_map = {name: file for file, part in shards.items() for name in part}
    (out / "index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}) + "\n")
    torch.save({"model.norm.weight": tensors["model.norm.weight"], "trap": Trap()}, out / "runs-code.bin")


if __name__ == "__main__":
    main()
