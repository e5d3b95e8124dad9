"""Measures Fovea and PyTorch side by side on one model shape with random weights, on the CPU.

The two take turns, so that both see the same machine; the median of the rounds counts. Both read a prompt of the same
length into a key-value cache and then draw greedily, one token at a time; then both keep the attention patterns of every
layer and head over a longer sequence. PyTorch computes in float32, Fovea with weights in float32 and once more with
weights kept in float16 (sums stay float32). The number of threads is the same.

    python tests/bench/compare.py target/release/fovea        (torch 2.15, transformers 5.23)

With --train both train instead, in float32: batches of random tokens, cross-entropy of every next token, the gradient's
norm held at 1, AdamW with weight decay. PyTorch updates all weights in one call (fused=True), as fast as it can.

    python tests/bench/compare.py target/release/fovea --train --shape tests/bench/llama-5.8m

With --texts FILE and --sentence-model FOLDER both turn the lines of a file into vectors, in batches of 32 as sentence-transformers
has them, and the vectors are compared; with --evaluate FILE and --language-model FOLDER both read the loss over a text in
windows of 512 tokens that overlap by half:

    python tests/bench/compare.py target/release/fovea --texts sentences.txt --sentence-model all-MiniLM-L6-v2 \\
        --evaluate text.txt --language-model SmolLM2-135M
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import transformers

HERE = pathlib.Path(__file__).parent


def fovea(args, weights):
    """One measured run after one that warms up, in a process of its own."""
    command = [
        args.binary, "bench", "--model", args.shape, "--random-weights", "--weights", weights, "--device", "cpu",
        "--json", "--repeats", "1", "--prompt-tokens", str(args.prompt_tokens), "--new-tokens", str(args.new_tokens),
        "--capture-tokens", str(args.capture_tokens),
    ]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if report["new_tokens"] != args.new_tokens:
        raise SystemExit(f"Fovea stopped after {report['new_tokens']} tokens; a rate over fewer tokens is no comparison.")
    return report


def spread(count, model):
    return torch.tensor([[(i * 7919 + 11) % model.config.vocab_size for i in range(count)]])


@torch.inference_mode()
def generate(model, prompt, new):
    """Milliseconds for the prompt, tokens a second after it."""
    ids = spread(prompt, model)
    begun = time.perf_counter()
    out = model(ids, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1:].argmax(-1)
    first = time.perf_counter()
    for _ in range(new - 1):
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        token.item()
    return {"prefill_ms": (first - begun) * 1e3, "decode_tokens_per_s": (new - 1) / (time.perf_counter() - first)}


@torch.inference_mode()
def capture(eager, tokens, logits_to_keep=0):
    """Milliseconds for one pass that keeps every attention pattern. Unless told, PyTorch also scores the vocabulary at
    every position; Fovea does so only when logits are asked for."""
    ids = spread(tokens, eager)
    begun = time.perf_counter()
    out = eager(ids, output_attentions=True, use_cache=False, logits_to_keep=logits_to_keep)
    assert len(out.attentions) == eager.config.num_hidden_layers
    return (time.perf_counter() - begun) * 1e3


def fovea_trains(args):
    command = [
        args.binary, "bench", "--model", args.shape, "--random-weights", "--device", "cpu", "--json", "--repeats", "1",
        "--prompt-tokens", "1", "--new-tokens", "2", "--train-batch", str(args.batch), "--train-context",
        str(args.context), "--train-steps", str(args.steps),
    ]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return report["train_tokens_per_s"]


def pytorch_trains(args, model):
    """Tokens a second; the median step counts, after three that warm up, as in `fovea bench`."""
    model.train()
    decaying = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decaying, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)
    vocabulary = model.config.vocab_size
    times = []
    for _ in range(3 + args.steps):
        ids = torch.randint(vocabulary, (args.batch, args.context + 1))
        begun = time.perf_counter()
        logits = model(ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, vocabulary), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.perf_counter() - begun)
    return args.batch * args.context / statistics.median(times[3:])


def compare_training(args):
    config = transformers.AutoConfig.from_pretrained(args.shape)
    model = transformers.AutoModelForCausalLM.from_config(config)
    rates = {"fovea": [], "pytorch": []}
    for _ in range(args.rounds):
        rates["fovea"].append(fovea_trains(args))
        rates["pytorch"].append(pytorch_trains(args, model))
    medians = {who: statistics.median(values) for who, values in rates.items()}
    best = {who: max(values) for who, values in rates.items()}
    if args.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        print(json.dumps({"threads": torch.get_num_threads(), "rounds": args.rounds, **versions,
                          "train_tokens_per_s": medians, "best_train_tokens_per_s": best}))
        return
    print(f"training on {args.batch} x {args.context} tokens a step, {torch.get_num_threads()} threads, "
          f"{args.rounds} rounds, torch {torch.__version__}")
    for who in rates:
        print(f"{who:10}{medians[who]:10.0f} tokens/s (median){best[who]:10.0f} (best)"
              f"{medians[who] / medians['pytorch']:8.2f} of PyTorch")


def fovea_reads(args, model, what, file):
    """One measured run after one that warms up, in a process of its own."""
    command = [args.binary, "bench", "--model", model, what, file, "--device", "cpu", "--json", "--repeats", "1"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def largest_difference(args, vectors):
    """Between vectors and those that Fovea writes of the same texts."""
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "vectors.npy"
        command = [args.binary, "embed", "--model", args.sentence_model, "--data", args.texts, "--out", out, "--device", "cpu"]
        subprocess.run(command, check=True, capture_output=True)
        return float(numpy.abs(numpy.load(out) - vectors).max())


def compare_embedding(args):
    import sentence_transformers

    texts = [line for line in pathlib.Path(args.texts).read_text().splitlines() if line.strip()]
    model = sentence_transformers.SentenceTransformer(args.sentence_model, device="cpu")
    vectors = model.encode(texts, batch_size=32)  # warms up
    rates = {"fovea": [], "sentence-transformers": []}
    for _ in range(args.rounds):
        rates["fovea"].append(fovea_reads(args, args.sentence_model, "--texts", args.texts)["texts_per_s"])
        begun = time.perf_counter()
        vectors = model.encode(texts, batch_size=32)
        rates["sentence-transformers"].append(len(texts) / (time.perf_counter() - begun))
    tell(args, f"vectors of {len(texts)} texts, sentence-transformers {sentence_transformers.__version__}", "texts/s", rates)
    difference = largest_difference(args, vectors)
    print(json.dumps({"largest_difference": difference}) if args.json else f"largest difference of a value: {difference:.1e}")


def windows(ids):
    """What `fovea evaluate` reads: windows of at most 512 tokens; but for the first, only the second half is scored."""
    next_scored = 1
    while next_scored < len(ids):
        start = 0 if next_scored == 1 else next_scored - min(256, next_scored)
        end = min(start + 513, len(ids))
        yield ids[start:end], end - next_scored
        next_scored = end


@torch.inference_mode()
def mean_loss(model, ids):
    total = 0.0
    for window, scored in windows(ids):
        logits = model(window[None, :-1], use_cache=False, logits_to_keep=scored).logits[0]
        total += torch.nn.functional.cross_entropy(logits, window[-scored:], reduction="sum").item()
    return total / (len(ids) - 1)


def compare_evaluation(args):
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.language_model)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.language_model, dtype=torch.float32).eval()
    ids = torch.tensor(tokenizer(pathlib.Path(args.evaluate).read_text())["input_ids"])
    mean_loss(model, ids[:600])  # warms up
    rates, losses = {"fovea": [], "pytorch": []}, {}
    for _ in range(args.rounds):
        report = fovea_reads(args, args.language_model, "--evaluate", args.evaluate)
        rates["fovea"].append(report["tokens_per_s"])
        begun = time.perf_counter()
        losses = {"fovea": report["loss"], "pytorch": mean_loss(model, ids)}
        rates["pytorch"].append((len(ids) - 1) / (time.perf_counter() - begun))
    tell(args, f"loss over {len(ids) - 1} tokens in windows of 512, torch {torch.__version__}", "tokens/s", rates)
    # Fovea puts the special tokens that training has between documents around the text.
    print(json.dumps({"loss": losses}) if args.json else f"loss: {losses['fovea']:.4f} and {losses['pytorch']:.4f} nats a token")


def tell(args, what, unit, rates):
    """Medians and best of the rounds; the second is who Fovea is compared with."""
    medians = {who: statistics.median(values) for who, values in rates.items()}
    best = {who: max(values) for who, values in rates.items()}
    peer = list(rates)[1]
    if args.json:
        print(json.dumps({"what": what, "threads": torch.get_num_threads(), "rounds": args.rounds, unit: medians, "best": best}))
        return
    print(f"{what}, {torch.get_num_threads()} threads, {args.rounds} rounds")
    for who in rates:
        print(f"{who:24}{medians[who]:9.0f} {unit} (median){best[who]:9.0f} (best){medians[who] / medians[peer]:8.2f} of {peer}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the fovea program")
    parser.add_argument("--shape", default=str(HERE / "gpt2-small"), help="folder with the config.json of the shape")
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--capture-tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", action="store_true", help="compare training instead")
    parser.add_argument("--batch", type=int, default=8, help="sequences a training step")
    parser.add_argument("--context", type=int, default=128, help="tokens of such a sequence")
    parser.add_argument("--steps", type=int, default=10, help="measured training steps a round")
    parser.add_argument("--texts", help="compare vectors of the lines of this file instead")
    parser.add_argument("--sentence-model", help="folder of the encoder for them")
    parser.add_argument("--evaluate", help="compare the loss over this text instead")
    parser.add_argument("--language-model", help="folder of the model for it")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON object")
    args = parser.parse_args()

    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    if args.train:
        return compare_training(args)
    if args.texts or args.evaluate:
        if args.texts:
            compare_embedding(args)
        if args.evaluate:
            compare_evaluation(args)
        return
    config = transformers.AutoConfig.from_pretrained(args.shape)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    eager = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    eager.load_state_dict(model.state_dict())
    generate(model, args.prompt_tokens, args.new_tokens)  # warms up
    capture(eager, args.capture_tokens)

    rounds = {"fovea F32": [], "fovea F16": [], "pytorch F32": []}
    for _ in range(args.rounds):
        rounds["fovea F32"].append(fovea(args, "f32"))
        peer = generate(model, args.prompt_tokens, args.new_tokens)
        peer["capture_ms"] = capture(eager, args.capture_tokens)
        peer["capture_last_logits_ms"] = capture(eager, args.capture_tokens, logits_to_keep=1)
        rounds["pytorch F32"].append(peer)
        rounds["fovea F16"].append(fovea(args, "f16"))
    medians = {
        who: {key: statistics.median(run[key] for run in runs) for key, value in runs[0].items() if isinstance(value, float)}
        for who, runs in rounds.items()
    }
    peer = medians["pytorch F32"]
    for who in ("fovea F32", "fovea F16"):
        ours = medians[who]
        ours["decode_over_pytorch"] = ours["decode_tokens_per_s"] / peer["decode_tokens_per_s"]
        ours["prefill_time_over_pytorch"] = ours["prefill_ms"] / peer["prefill_ms"]
        ours["capture_time_over_pytorch"] = ours["capture_ms"] / peer["capture_ms"]
        added = ours["resident_mb"] - ours["resident_before_mb"]
        ours["memory_over_weights"] = added / ours["weights_mb"]
    if args.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        print(json.dumps({"threads": threads, "rounds": args.rounds, **versions, **medians}))
        return
    print(f"{args.prompt_tokens} + {args.new_tokens} tokens, patterns over {args.capture_tokens}, {threads} threads, "
          f"medians of {args.rounds} rounds, torch {torch.__version__}")
    print(f"{'':14}{'decode tok/s':>14}{'ratio':>7}{'prefill ms':>12}{'ratio':>7}{'capture ms':>12}{'ratio':>7}{'memory/weights':>16}")
    for who, ours in medians.items():
        ratio = lambda key: f"{ours[key]:7.2f}" if key in ours else f"{1:7.2f}"
        print(f"{who:14}{ours['decode_tokens_per_s']:14.1f}{ratio('decode_over_pytorch')}"
              f"{ours['prefill_ms']:12.1f}{ratio('prefill_time_over_pytorch')}"
              f"{ours['capture_ms']:12.0f}{ratio('capture_time_over_pytorch')}"
              + (f"{ours['memory_over_weights']:16.2f}" if "memory_over_weights" in ours else ""))
    print(f"PyTorch told to score the last position only captures in {peer['capture_last_logits_ms']:.0f} ms.")


if __name__ == "__main__":
    main()
