"""Measures Fovea and PyTorch side by side on one model shape with random weights, on the CPU.

The two take turns, so that both see the same machine; the median of the rounds counts. Both read a prompt of the same
length into a key-value cache and then draw greedily, one token at a time, in float32 with the same number of threads.

    python tests/bench/compare.py target/release/fovea        (torch 2.15, transformers 5.23)
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch
import transformers

HERE = pathlib.Path(__file__).parent


def fovea(binary, shape, prompt, new):
    """One measured run after one that warms up, in a process of its own."""
    command = [
        binary, "bench", "--model", shape, "--random-weights", "--device", "cpu", "--json", "--repeats", "1",
        "--prompt-tokens", str(prompt), "--new-tokens", str(new),
    ]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if report["new_tokens"] != new:
        raise SystemExit(f"Fovea stopped after {report['new_tokens']} tokens; a rate over fewer tokens is no comparison.")
    return report["prefill_ms"], report["decode_tokens_per_s"]


@torch.inference_mode()
def pytorch(model, prompt, new):
    """The same in this process."""
    ids = torch.tensor([[(i * 7919 + 11) % model.config.vocab_size for i in range(prompt)]])
    begun = time.perf_counter()
    out = model(ids, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1:].argmax(-1)
    first = time.perf_counter()
    for _ in range(new - 1):
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        token.item()
    return (first - begun) * 1e3, (new - 1) / (time.perf_counter() - first)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the fovea program")
    parser.add_argument("--shape", default=str(HERE / "gpt2-small"), help="folder with the config.json of the shape")
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON object")
    args = parser.parse_args()

    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    config = transformers.AutoConfig.from_pretrained(args.shape)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    pytorch(model, args.prompt_tokens, args.new_tokens)  # warms up

    rounds = []
    for _ in range(args.rounds):
        ours = fovea(args.binary, args.shape, args.prompt_tokens, args.new_tokens)
        rounds.append((*ours, *pytorch(model, args.prompt_tokens, args.new_tokens)))
    prefill, decode, peer_prefill, peer_decode = (statistics.median(column) for column in zip(*rounds))
    report = {
        "threads": threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "rounds": args.rounds,
        "fovea": {"prefill_ms": prefill, "decode_tokens_per_s": decode},
        "pytorch": {"prefill_ms": peer_prefill, "decode_tokens_per_s": peer_decode},
        "decode_ratio": decode / peer_decode,
        "prefill_ratio": peer_prefill / prefill,
    }
    if args.json:
        print(json.dumps(report))
        return
    print(f"{'':10}{'prefill ms':>12}{'tokens/s':>12}   ({args.prompt_tokens} + {args.new_tokens} tokens, {threads} threads)")
    print(f"{'Fovea':10}{prefill:12.1f}{decode:12.1f}")
    print(f"{'PyTorch':10}{peer_prefill:12.1f}{peer_decode:12.1f}   (torch {torch.__version__})")
    print(f"Fovea decodes {report['decode_ratio']:.2f} times and prefills {report['prefill_ratio']:.2f} times as fast.")


if __name__ == "__main__":
    main()
