"""Compares ways to adapt models on SST-2, with what is measured kept, so that it can be stopped and gone on with.

    python tests/bench/ways.py target/release/fovea SST2 KEPT NAME=MODEL… [--quick]

SST2 is a folder with train.tsv and test.tsv (sentence, tab, 0 or 1, no header). For each model a file KEPT/NAME-….json holds what is
measured; the same command goes on behind it. Numbers of examples are 1, 8, 64 and 512 with five seeds (what trains all weights: two),
in 200 steps of eight texts at most; then all with one seed, once through. It prints how many hours each model took in all, and a table
of right answers with 95 % intervals. With --quick the test is 400 of its texts, and all examples are left out.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import time

# Of Student's distribution with so many degrees of freedom, 97.5 %.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
SIZES = "1,8,64,512"
LIGHT = "examples,embeddings,prototypes,head"


def parts(quick):
    """What is asked one after the other: ways, sizes, seeds, steps at most. What is cheap comes first."""
    yield "light", LIGHT, SIZES, 5, 200
    yield "lora", "lora", SIZES, 5, 200
    yield "heavy", "full,scratch", SIZES, 2, 200
    if not quick:
        # Each of the 6,920 texts once: as many steps of eight.
        for part, ways in ("light", LIGHT), ("lora", "lora"), ("full", "full"), ("scratch", "scratch"):
            yield f"all-{part}", ways, "all", 1, 865


def run(args, name, model, part, ways, sizes, seeds, steps):
    kept = pathlib.Path(args.kept) / f"{name}-{part}.json"
    hours = kept.with_suffix(".hours")
    spent = float(hours.read_text()) if hours.exists() else 0.0
    command = [
        args.binary, "adapt", "--model", model, "--device", "cpu", "--data", str(pathlib.Path(args.sst2) / "train.tsv"),
        "--test", str(pathlib.Path(args.sst2) / "test.tsv"), "--text-column", "1", "--label-column", "2",
        "--test-rows", "400" if args.quick else "100000", "--ways", ways, "--sizes", sizes, "--seeds", str(seeds),
        "--template", "Review: {input}\\nSentiment: {output}", "--words", "negative,positive", "--calibrate",
        "--most-steps", str(steps), "--resume", str(kept), "--json",
    ]
    begun = time.time()
    try:
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        spent += (time.time() - begun) / 3600
        hours.write_text(f"{spent}\n")
    return json.loads(out), spent


def show(name, reports, hours):
    print(f"\n{name}: {hours:.2f} h, {len(reports[0]['test'])} texts, "
          f"most common class {reports[0]['base_rate'] * 100:.1f} %", flush=True)
    rows = {}
    for report in reports:
        for point in report["points"]:
            share = point["correct"] / len(point["said"])
            rows.setdefault(point["way"], {}).setdefault(point["size"], []).append(share)
    sizes = sorted({size for cells in rows.values() for size in cells})
    print("| | " + " | ".join(map(str, sizes)) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for way, cells in rows.items():
        row = []
        for size in sizes:
            values = [value * 100 for value in cells.get(size, [])]
            if not values:
                row.append("–")
            elif len(values) == 1:
                row.append(f"{values[0]:.1f}")
            else:
                half = T[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
                row.append(f"{statistics.mean(values):.1f} ± {half:.1f}")
        print(f"| {way} | " + " | ".join(row) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("sst2")
    parser.add_argument("kept")
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    pathlib.Path(args.kept).mkdir(parents=True, exist_ok=True)
    for given in args.models:
        name, model = given.split("=", 1)
        reports, hours = [], 0.0
        for part, *asked in parts(args.quick):
            report, spent = run(args, name, model, part, *asked)
            reports.append(report)
            hours += spent
            show(name, reports, hours)


if __name__ == "__main__":
    main()
