"""Measures how fast Fovea and PyTorch train the same encoder to fill blanks, side by side on the CPU.

The shape, the batch, the blanks and the optimiser's settings are those of a recipe of `kind = "masked"`, the shipped encoder's unless told:
both take turns, and the median of the rounds counts. Fovea trains on words drawn at random through `fovea train`, and its times are those of
its own log; PyTorch has transformers' BertForMaskedLM (eager, its usual attention) on sequences of as many tokens, with as many blanks, AdamW
(fused) and the gradient's norm held, float32. BertForMaskedLM scores all places; `pytorch, blanks` is the same network whose head is given
the blanks alone, as Fovea's is.

With --processor-time what counts is the time processors spent, which hardly depends on what else a machine does, as long as nobody spins
for others: on one core.

    python tests/bench/compare_masked.py target/release/fovea            (torch 2.15, transformers 5.23)
    taskset -c 0 python tests/bench/compare_masked.py target/release/fovea --processor-time
"""

import argparse
import csv
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import tempfile
import time
import tomllib

import torch
import transformers

HERE = pathlib.Path(__file__).parent
WARM_UP = 3


def write_text(path, words, count):
    """Words drawn at random, more different ones than the vocabulary has pieces."""
    draw = random.Random(1)
    known = ["".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(2, 7))) for _ in range(words)]
    lines = (" ".join(draw.choices(known, k=12)) + "." for _ in range(count // 12))
    path.write_text("\n".join(lines))


def fovea_trains(args, recipe, folder):
    """Tokens a second in a process of its own; the median step counts, after some that warm up."""
    task = recipe["task"]
    if args.processor_time:
        # What a run costs besides its steps is the same, however many they are.
        few, many = (spent(args, recipe, folder, WARM_UP + steps) for steps in (0, args.steps))
        return recipe["batch_size"] * task["context"] * args.steps / (many - few)
    run(args, recipe, folder, WARM_UP + args.steps)
    with open(folder / "run/training-log.csv") as file:
        seconds = [float(row["elapsed_s"]) for row in csv.DictReader(file)]
    steps = [after - before for before, after in zip([0.0] + seconds, seconds)][WARM_UP:]
    return recipe["batch_size"] * task["context"] / statistics.median(steps)


def spent(args, recipe, folder, steps):
    """Seconds that processors spent on a run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(args, recipe, folder, steps)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(args, recipe, folder, steps):
    shape, task = recipe["task"]["shape"], recipe["task"]
    text, out, spec = folder / "words.txt", folder / "run", folder / "recipe.toml"
    if not text.exists():
        write_text(text, 2 * shape["vocabulary"], 120_000)
    spec.write_text(
        f"learning_rate = {recipe['learning_rate']}\nweight_decay = {recipe['weight_decay']}\nclip_norm = {recipe['clip_norm']}\n"
        f"batch_size = {recipe['batch_size']}\nsteps = {steps}\nvalidation_share = 0.0\nseed = 1\n"
        f"[task]\nkind = \"masked\"\ndata = [{json.dumps(str(text))}]\ncontext = {task['context']}\nblanks = {task['blanks']}\n[task.shape]\n"
        + "".join(f"{name} = {shape[name]}\n" for name in
                  ("hidden", "layers", "heads", "intermediate", "max_positions", "vocabulary"))
    )
    subprocess.run(["rm", "-rf", out], check=True)
    subprocess.run([args.binary, "train", spec, "--out", out, "--device", "cpu"], check=True, capture_output=True)
    made = json.loads((out / "config.json").read_text())["vocab_size"]
    if made != shape["vocabulary"]:
        raise SystemExit(f"the text gave a vocabulary of {made}")


def pytorch_trains(args, recipe, model, blanks_alone):
    model.train()
    decaying = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decaying, "weight_decay": recipe["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe["learning_rate"], fused=True)
    batch, context, vocabulary = recipe["batch_size"], recipe["task"]["context"], model.config.vocab_size
    count = round(recipe["task"]["blanks"] * (context - 2))
    clock = time.process_time if args.processor_time else time.perf_counter
    times = []
    for _ in range(WARM_UP + args.steps):
        truth = torch.randint(5, vocabulary, (batch, context))
        places = 1 + torch.rand(batch, context - 2).argsort(-1)[:, :count]
        is_blank = torch.zeros(batch, context, dtype=torch.bool).scatter(1, places, True)
        ids = torch.where(is_blank & (torch.rand(batch, context) < 0.8), torch.tensor(4), truth)
        begun = clock()
        if blanks_alone:
            scores = model.cls(model.bert(ids).last_hidden_state[is_blank])
            loss = torch.nn.functional.cross_entropy(scores, truth[is_blank])
        else:
            loss = model(ids, labels=truth.masked_fill(~is_blank, -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["clip_norm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(clock() - begun)
    return batch * context / statistics.median(times[WARM_UP:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the fovea program")
    parser.add_argument("--recipe", default=str(HERE / "../../assets/presets/clover-blanks.toml"), help="whose shape is trained")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12, help="measured training steps a round")
    parser.add_argument("--processor-time", action="store_true", help="count the time of processors")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON object")
    args = parser.parse_args()

    recipe = tomllib.loads(pathlib.Path(args.recipe).read_text())
    shape = recipe["task"]["shape"]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = transformers.BertForMaskedLM(transformers.BertConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], intermediate_size=shape["intermediate"],
        max_position_embeddings=shape["max_positions"], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    ))
    rates = {"fovea": [], "pytorch": [], "pytorch, blanks": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            rates["fovea"].append(fovea_trains(args, recipe, pathlib.Path(folder)))
            rates["pytorch"].append(pytorch_trains(args, recipe, model, False))
            rates["pytorch, blanks"].append(pytorch_trains(args, recipe, model, True))
    medians = {who: statistics.median(values) for who, values in rates.items()}
    best = {who: max(values) for who, values in rates.items()}
    ratios = [statistics.median(ours / theirs for ours, theirs in zip(rates["fovea"], rates[who])) for who in rates]
    if args.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        print(json.dumps({"threads": torch.get_num_threads(), "rounds": args.rounds, **versions, "train_tokens_per_s": medians,
                          "best_train_tokens_per_s": best, "fovea_of": dict(zip(rates, ratios))}))
        return
    unit = "processor time" if args.processor_time else "time"
    print(f"filling blanks, {unit}, {recipe['batch_size']} x {recipe['task']['context']} tokens a step, {torch.get_num_threads()} threads, "
          f"{args.rounds} rounds, torch {torch.__version__}, transformers {transformers.__version__}")
    for who, ratio in zip(rates, ratios):
        print(f"{who:16}{medians[who]:10.0f} tokens/s (median){best[who]:10.0f} (best){ratio:8.2f} x is Fovea, median of the rounds")


if __name__ == "__main__":
    main()
