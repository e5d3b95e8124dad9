"""Measures how fast Fovea and PyTorch train the same network without attention, side by side on the CPU.

As compare.py --train: both take turns, and the median of the rounds counts; batches of random tokens, cross-entropy of every next token,
the gradient's norm held at 1, AdamW with weight decay (fused in PyTorch), float32. PyTorch has nn.LSTM, nn.RNN or nn.Linear.

    python tests/bench/compare_recurrent.py target/release/fovea                      (LSTM of 2 layers of 256, 16 x 128 tokens)
    python tests/bench/compare_recurrent.py target/release/fovea --shape tests/bench/rnn-2x256
"""

import argparse
import json
import os
import pathlib
import statistics
import types

import torch

from compare import HERE, fovea_trains, pytorch_trains


class Network(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = types.SimpleNamespace(**config)
        v, e, h = config["vocab_size"], config["embedding_size"], config["hidden_size"]
        self.embedding = torch.nn.Embedding(v, e)
        kind = config["model_type"].removeprefix("fovea_")
        if kind == "feed_forward":
            self.hidden = torch.nn.Linear(config["window"] * e, h)
        else:
            layer = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN}[kind]
            self.rnn = layer(e, h, config["num_hidden_layers"], batch_first=True)
        self.head = torch.nn.Linear(h, v)

    def forward(self, ids, use_cache=False):
        x = self.embedding(ids)
        if hasattr(self, "rnn"):
            x, _ = self.rnn(x)
        else:
            window = self.config.window
            before = torch.nn.functional.pad(x, (0, 0, window - 1, 0))
            x = torch.tanh(self.hidden(torch.cat([before[:, at : at + ids.shape[1]] for at in range(window)], -1)))
        return types.SimpleNamespace(logits=self.head(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the fovea program")
    parser.add_argument("--shape", default=str(HERE / "lstm-2x256"), help="folder with the config.json of the shape")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16, help="sequences a training step")
    parser.add_argument("--context", type=int, default=128, help="tokens of such a sequence")
    parser.add_argument("--steps", type=int, default=10, help="measured training steps a round")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON object")
    args = parser.parse_args()

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = Network(json.loads((pathlib.Path(args.shape) / "config.json").read_text()))
    rates = {"fovea": [], "pytorch": []}
    for _ in range(args.rounds):
        rates["fovea"].append(fovea_trains(args))
        rates["pytorch"].append(pytorch_trains(args, model))
    medians = {who: statistics.median(values) for who, values in rates.items()}
    best = {who: max(values) for who, values in rates.items()}
    if args.json:
        print(json.dumps({"threads": torch.get_num_threads(), "rounds": args.rounds, "torch": torch.__version__,
                          "train_tokens_per_s": medians, "best_train_tokens_per_s": best}))
        return
    print(f"training {pathlib.Path(args.shape).name} on {args.batch} x {args.context} tokens a step, "
          f"{torch.get_num_threads()} threads, {args.rounds} rounds, torch {torch.__version__}")
    for who in rates:
        print(f"{who:10}{medians[who]:10.0f} tokens/s (median){best[who]:10.0f} (best)"
              f"{medians[who] / medians['pytorch']:8.2f} of PyTorch")


if __name__ == "__main__":
    main()
