"""Measures LoRA training in Fovea and in PEFT side by side on one model, on the CPU.

The two take turns, so that both see the same machine; the median of the rounds counts. Both learn changes of the same matrices, of the
same rank, on batches of the same size, with cross-entropy of every next token, the gradient's norm held at 1, and AdamW with weight
decay, which PyTorch does in one call (fused=True). PEFT computes in float32; Fovea reads the base where it lies in its file and sums in
float32. The number of threads is the same. With --full Fovea trains all weights once as well, for its peak of memory.

    python tests/bench/compare_lora.py target/release/fovea MODEL --full        (torch 2.15, transformers 5.23, peft 0.21)
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model


def fovea_trains(args, lora=True):
    """Tokens a second and the peak of memory in MiB, in a process of its own."""
    command = [
        args.binary, "bench", "--model", args.model, "--device", "cpu", "--json", "--repeats", "1", "--prompt-tokens", "1",
        "--new-tokens", "2", "--train-batch", str(args.batch), "--train-context", str(args.context), "--train-steps",
        str(args.steps),
    ]
    if lora:
        command += ["--train-lora", str(args.rank), "--train-targets", args.targets]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return report["train_tokens_per_s"], report["peak_rss_mb"]


def peft_trains(args, model):
    """Tokens a second; the median step counts, after three that warm up, as in `fovea bench`."""
    model.train()
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
    vocabulary = model.config.vocab_size
    times = []
    for _ in range(3 + args.steps):
        ids = torch.randint(vocabulary, (args.batch, args.context + 1))
        begun = time.perf_counter()
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, vocabulary), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.perf_counter() - begun)
    return args.batch * args.context / statistics.median(times[3:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model", help="a folder in Hugging Face layout")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--targets", default="q_proj,v_proj")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="train all weights in Fovea as well, for the peak of memory")
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    settings = LoraConfig(
        r=args.rank, lora_alpha=2 * args.rank, lora_dropout=0.0, task_type="CAUSAL_LM", target_modules=args.targets.split(",")
    )
    model = get_peft_model(model, settings)
    rates, peak = {"fovea": [], "peft": []}, 0.0
    for _ in range(args.rounds):
        rate, memory = fovea_trains(args)
        rates["fovea"].append(rate)
        peak = max(peak, memory)
        rates["peft"].append(peft_trains(args, model))
    medians = {who: statistics.median(values) for who, values in rates.items()}
    print(f"rank {args.rank} of {args.targets}, {args.batch} x {args.context} tokens a step, {torch.get_num_threads()} threads, "
          f"{args.rounds} rounds, torch {torch.__version__}")
    for who, values in rates.items():
        print(f"{who:10}{medians[who]:10.1f} tokens/s (median){max(values):10.1f} (best)"
              f"{medians[who] / medians['peft']:8.2f} of PEFT")
    print(f"peak memory: Fovea {peak:.0f} MiB, this program {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if args.full:
        rate, memory = fovea_trains(args, lora=False)
        print(f"all weights in Fovea: {rate:.1f} tokens/s, {memory:.0f} MiB; the adapter takes {peak / memory:.2f} of that")


if __name__ == "__main__":
    main()
