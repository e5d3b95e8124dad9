"""Measures Fovea and llama.cpp side by side on the same files, on the CPU.

The two take turns, each in a process of its own after one run that warms it up, with two threads each; the median of the rounds
counts. Both read a prompt, then continue it token by token. A model is a GGUF file that both open, or a GGUF file for llama.cpp and
a folder for Fovea that holds the same weights.

    python tests/bench/llama_cpp.py target/release/fovea --rounds 5 F16=model-f16.gguf,folder Q8_0=model-q8_0.gguf

Needs llama-cpp-python. `fovea convert FOLDER OUT.gguf --type q8_0` makes files; a file of another type is made by llama.cpp's own
quantisation.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# llama.cpp is asked through its own library: nothing is sampled, so that what is measured is the network alone.
PEER = """
import json, llama_cpp, resource, sys, time
path, prompt, new = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
begun = time.time()
model = llama_cpp.Llama(path, n_ctx=prompt + new + 8, n_threads=2, n_threads_batch=2, n_batch=512, verbose=False)
load = time.time() - begun
ids = [(i * 7919 + 11) % model.n_vocab() for i in range(prompt)]
model.eval(ids)
model.reset()
begun = time.time()
model.eval(ids)
read = time.time() - begun
begun = time.time()
for i in range(new - 1):
    model.eval([100 + i])
rate = (new - 1) / (time.time() - begun)
print(json.dumps({"prefill_ms": read * 1e3, "decode_tokens_per_s": rate, "load_ms": load * 1e3}))
"""


def peer(path, prompt, new):
    out = subprocess.run([sys.executable, "-c", PEER, path, str(prompt), str(new)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def fovea(binary, path, prompt, new):
    command = [
        binary, "bench", "--model", path, "--device", "cpu", "--json", "--repeats", "1",
        "--prompt-tokens", str(prompt), "--new-tokens", str(new),
    ]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("models", nargs="+", metavar="NAME=GGUF[,FOLDER]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompts", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--new-tokens", type=int, default=64)
    args = parser.parse_args()
    print("| weights | | llama.cpp | Fovea | ratio |\n|---|---|---|---|---|")
    for model in args.models:
        name, _, paths = model.partition("=")
        gguf, _, folder = paths.partition(",")
        for prompt in args.prompts:
            rounds = [
                (peer(gguf, prompt, args.new_tokens), fovea(args.binary, folder or gguf, prompt, args.new_tokens))
                for _ in range(args.rounds)
            ]
            mid = lambda side, key, rounds=rounds: statistics.median(pair[side][key] for pair in rounds)
            theirs, ours = mid(0, "prefill_ms"), mid(1, "prefill_ms")
            print(f"| {name} | prompt of {prompt} | {theirs:.0f} ms | {ours:.0f} ms | {ours / theirs:.2f} × the time |", flush=True)
            theirs, ours = mid(0, "decode_tokens_per_s"), mid(1, "decode_tokens_per_s")
            print(f"| | decode behind it | {theirs:.1f} tokens/s | {ours:.1f} | {ours / theirs:.2f} × |", flush=True)
        share = statistics.median(pair[1].get("bandwidth_share") or 0 for pair in rounds)
        resident, size = mid(1, "resident_mb"), pathlib.Path(gguf).stat().st_size / 2**20
        print(f"| | share of the bandwidth; resident | | {share:.2f}; {resident:.0f} MB of a file of {size:.0f} | |", flush=True)


main()
