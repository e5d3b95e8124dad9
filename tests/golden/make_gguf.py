"""Writes gguf/blocks.safetensors: random bytes as blocks of each type with the values gguf-py reads from them, and random values
with the blocks of Q8_0 it writes.

    python tests/golden/make_gguf.py        (gguf 0.19, numpy, safetensors)
"""

import pathlib

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent / "gguf"
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Where the numbers of half precision stand in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def blocks():
    random = np.random.default_rng(17)
    tensors = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = GGML_QUANT_SIZES[kind]
        data = random.integers(0, 256, size=(1024 // elements, size), dtype=np.uint8)
        for at in SCALES[name]:
            # Any number of half precision that is finite, those below the smallest normal one among them.
            half = data[:, at : at + 2].copy().view(np.uint16)
            half[(half & 0x7C00) == 0x7C00] ^= 0x4000
            half[0] &= 0x83FF
            data[:, at : at + 2] = half.view(np.uint8)
        tensors[f"{name}.blocks"] = data
        tensors[f"{name}.values"] = gguf.quants.dequantize(data, kind)
    values = random.standard_normal((24, 32)).astype(np.float32) * np.float32(10.0) ** random.integers(-4, 4, size=(24, 1)).astype(np.float32)
    values[0] = 0
    # Halves between two numbers, which are rounded away from zero.
    values[1] = np.arange(32) - np.float32(15.5)
    values[1, 0] = 127
    tensors["encode.values"] = values.astype(np.float32)
    tensors["encode.blocks"] = gguf.quants.quantize(tensors["encode.values"], gguf.GGMLQuantizationType.Q8_0)
    save_file(tensors, HERE / "blocks.safetensors")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    blocks()
