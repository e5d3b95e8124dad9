"""Writes the golden values of networks without attention that tests/parity.rs compares with.

For each tiny random model the same files as make_golden.py writes, whose tokenizer, search for weights and greedy continuation
are used: values at the sites there are (embeddings, the output of each layer, scores), padded batches, the loss, every gradient,
the losses of ten AdamW steps. Of recurrent models also h and c of every layer and step (`state.N.h`, `state.N.c`). All values are
computed by PyTorch's own nn.LSTM, nn.RNN and nn.Linear, in float32 on one thread; the feed-forward network is Bengio et al. 2003.

    python tests/golden/make_recurrent.py [name ...]        (torch 2.15, transformers 5.23)
"""

import json
import shutil
import sys
import types

import torch
from safetensors.torch import save_file

from make_golden import ADAMW, END, HERE, TOKENS, VOCABULARY, find_weights, write_tokenizer

CONTEXT = 96


class LanguageModel(torch.nn.Module):
    """What the networks share: embeddings, a head, the loss."""

    def __init__(self, embedding, hidden, tied):
        super().__init__()
        self.config = types.SimpleNamespace(max_position_embeddings=CONTEXT)
        self.sizes = {"embedding_size": embedding, "hidden_size": hidden, "tie_word_embeddings": tied}
        self.embedding = torch.nn.Embedding(VOCABULARY, embedding)
        if not tied:
            self.head = torch.nn.Linear(hidden, VOCABULARY)

    def scores(self, hidden):
        return hidden @ self.embedding.weight.T if self.sizes["tie_word_embeddings"] else self.head(hidden)

    def forward(self, ids, labels=None):
        logits = self.values(ids)["logits"]
        loss = None
        if labels is not None:
            loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), labels[:, 1:].reshape(-1))
        return types.SimpleNamespace(logits=logits, loss=loss)


class Recurrent(LanguageModel):
    def __init__(self, kind, layers, embedding, hidden, tied=False):
        super().__init__(embedding, hidden, tied)
        self.kind, self.layers = kind, layers
        layer = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN}[kind]
        self.rnn = layer(embedding, hidden, layers, batch_first=True)

    def settings(self):
        name = {"lstm": "FoveaLstm", "rnn": "FoveaRnn"}[self.kind]
        return {"architectures": [f"{name}ForCausalLM"], "model_type": f"fovea_{self.kind}", "num_hidden_layers": self.layers}

    def values(self, ids):
        """Sites; each layer by itself, so that the output of all is there."""
        x = self.embedding(ids)
        sites = {"embed": x}
        for number in range(self.layers):
            parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = {f"{part}_l0": getattr(self.rnn, f"{part}_l{number}") for part in parts}
            layer = type(self.rnn)(x.shape[-1], self.rnn.hidden_size, batch_first=True)
            x, _ = torch.func.functional_call(layer, weights, x)
            sites[f"blocks.{number}.resid_post"] = x
        whole, _ = self.rnn(self.embedding(ids))
        assert torch.allclose(whole, x, atol=1e-6), "layers one by one are the whole"
        sites["logits"] = self.scores(whole)
        return sites

    def states(self, ids):
        """h and c of every layer behind every token: PyTorch gives those of the last token alone."""
        states, kept = None, {}
        for token in range(ids.shape[1]):
            _, states = self.rnn(self.embedding(ids[:, token : token + 1]), states)
            both = states if self.kind == "lstm" else (states,)
            for name, values in zip("hc", both):
                for layer in range(self.layers):
                    kept.setdefault(f"state.{layer}.{name}", []).append(values[layer, 0])
        return {name: torch.stack(rows).contiguous() for name, rows in kept.items()}


class HiddenLayer(torch.nn.Module):
    """norm(W x + b), before the activation."""

    def __init__(self, read, hidden, norm):
        super().__init__()
        self.hidden = torch.nn.Linear(read, hidden)
        if norm:
            self.norm = torch.nn.LayerNorm(hidden)

    def forward(self, x):
        x = self.hidden(x)
        return self.norm(x) if hasattr(self, "norm") else x


class FeedForward(LanguageModel):
    """One layer is called `hidden`; several are `layers.0.hidden` and so on, each with its `norm`."""

    def __init__(self, window, embedding, hidden, direct=False, tied=False, layers=1, activation="tanh", norm=False, residual=False):
        super().__init__(embedding, hidden, tied)
        self.window, self.activation, self.norms, self.residual = window, activation, norm, residual
        if layers == 1 and not norm:
            self.hidden = torch.nn.Linear(window * embedding, hidden)
        else:
            reads = [window * embedding] + [hidden] * (layers - 1)
            self.layers = torch.nn.ModuleList(HiddenLayer(read, hidden, norm) for read in reads)
        if direct:
            self.direct = torch.nn.Linear(window * embedding, VOCABULARY, bias=False)

    def settings(self):
        return {
            "architectures": ["FoveaFeedForwardForCausalLM"], "model_type": "fovea_feed_forward",
            "num_hidden_layers": len(getattr(self, "layers", [None])),
            "window": self.window, "direct_connections": hasattr(self, "direct"),
        } | ({
            "hidden_act": self.activation, "hidden_dropout_prob": 0.0, "layer_norm": self.norms,
            "residual_connections": self.residual,
        } if hasattr(self, "layers") else {})

    def values(self, ids):
        x = self.embedding(ids)
        before = torch.nn.functional.pad(x, (0, 0, self.window - 1, 0))
        seen = torch.cat([before[:, at : at + ids.shape[1]] for at in range(self.window)], -1)
        function = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[self.activation]
        sites, hidden = {"embed": x}, seen
        for number, layer in enumerate(getattr(self, "layers", None) or [self.hidden]):
            made = function(layer(hidden))
            hidden = hidden + made if self.residual and number > 0 else made
            sites[f"blocks.{number}.resid_post"] = hidden
        logits = self.scores(hidden)
        if hasattr(self, "direct"):
            logits = logits + self.direct(seen)
        return sites | {"logits": logits}

    def states(self, ids):
        return {}


MODELS = {
    "lstm": (lambda: Recurrent("lstm", 2, 12, 20), torch.float32),
    "lstm-tied": (lambda: Recurrent("lstm", 1, 16, 16, tied=True), torch.float16),
    "rnn": (lambda: Recurrent("rnn", 2, 16, 24), torch.bfloat16),
    "feed-forward": (lambda: FeedForward(4, 12, 20, direct=True), torch.float16),
    "feed-forward-tied": (lambda: FeedForward(3, 16, 16, tied=True), torch.float32),
    "feed-forward-deep": (
        lambda: FeedForward(3, 12, 16, direct=True, layers=4, activation="relu", norm=True, residual=True), torch.float32,
    ),
    "feed-forward-sigmoid": (lambda: FeedForward(4, 12, 16, direct=True, layers=2, activation="sigmoid"), torch.float16),
}


def padded(model, ids, side):
    """Logits of the first sequence beside a shorter piece of the second; each is read by itself."""
    short = TOKENS - 5
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    batch = ids.clone()
    if side == "left":
        mask[1, : TOKENS - short] = 0
        batch[1, TOKENS - short :] = ids[1, :short]
    else:
        mask[1, short:] = 0
    with torch.no_grad():
        logits = torch.cat([model(ids[:1]).logits[0], model(ids[1:, :short]).logits[0]])
    return {
        f"padded.{side}.ids": batch.int(), f"padded.{side}.mask": mask.int(), f"padded.{side}.logits": logits.contiguous(),
    }


def write(name, make, dtype):
    model, ids, continued, how = find_weights(make, dtype, 5000 + 100 * list(MODELS).index(name))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = model.settings() | model.sizes | {
        "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "bos_token_id": None, "eos_token_id": END,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_tokenizer(folder)
    save_file({n: p.detach().to(dtype).contiguous() for n, p in model.named_parameters()}, folder / "model.safetensors")

    reference = {"ids": ids.int(), "greedy": continued[0].int()}
    with torch.no_grad():
        reference |= {f"site.{site}": value[0].clone().contiguous() for site, value in model.values(ids[:1]).items()}
        reference |= model.states(ids[:1])
    reference |= padded(model, ids, "left") | padded(model, ids, "right")

    loss = model(ids, labels=ids).loss
    loss.backward()
    reference["loss"] = loss.detach().reshape(1)
    reference |= {f"grad.{n}": p.grad.clone().contiguous() for n, p in model.named_parameters()}

    optimiser = torch.optim.AdamW(model.parameters(), **ADAMW)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    reference["adamw_losses"] = torch.tensor(losses)
    save_file(reference, folder / "reference.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir()) // 1024
    print(f"{name}: seed, scale, margin, distinct tokens {how}, loss {losses[0]:.3f} to {losses[-1]:.3f}, {size} KiB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MODELS:
        write(name, *MODELS[name])
