"""Measures Fovea while other programs take every core, beside the same build on a quiet machine.

    python tests/bench/busy.py FOVEA MODEL [OTHER] [--rounds 3]

FOVEA is a program, MODEL a model's folder; OTHER is a second build, measured in turns with the first. For each it prints the medians of
tokens a second that a prompt of 64 tokens is read at, that are written, and that are learned from (one sequence of 32 a step), quiet and
beside as many busy loops as there are cores.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess


def loop():
    while True:
        pass


def measure(program, model):
    command = [program, "bench", "--model", model, "--device", "cpu", "--json", "--repeats", "3", "--train-batch", "1",
               "--train-context", "32", "--train-steps", "40"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        "read": told["prompt_tokens"] / told["prefill_ms"] * 1e3,
        "written": told["decode_tokens_per_s"],
        "learned": told["train_tokens_per_s"],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="+", metavar="FOVEA MODEL [OTHER]")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    program, model, *others = args.programs
    found = {}
    for _ in range(args.rounds):
        for state in ("quiet", "busy"):
            hogs = [multiprocessing.Process(target=loop, daemon=True) for _ in range(multiprocessing.cpu_count())]
            if state == "busy":
                for hog in hogs:
                    hog.start()
            for each in (program, *others):
                for name, rate in measure(each, model).items():
                    found.setdefault((each, state, name), []).append(rate)
            if state == "busy":
                for hog in hogs:
                    hog.terminate()
    for (each, state, name), rates in sorted(found.items()):
        print(f"{each} {state}: {statistics.median(rates):.0f} tokens a second {name} ({', '.join(f'{rate:.0f}' for rate in rates)})")


if __name__ == "__main__":
    main()
