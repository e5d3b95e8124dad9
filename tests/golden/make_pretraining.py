"""Writes the golden values of src/train/objectives/encoder/golden_tests.rs: what PyTorch and transformers make of the golden BERT when
it learns to fill blanks and to tell which texts belong together.

Of each: the loss, the gradient of every parameter that has one, and the losses of ten AdamW steps, in which matrices alone decay. Texts
differ in length; here they are padded, with an attention mask. All in float32 on one thread.

    python tests/golden/make_pretraining.py        (torch 2.9, transformers 5.24)
"""

import pathlib

import torch
from safetensors.torch import save_file
from transformers import BertForMaskedLM

HERE = pathlib.Path(__file__).parent
OUT = HERE / "bert" / "pretraining.safetensors"
ADAMW = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}
DECAY = 0.01
TEMPERATURE = 0.05
LENGTHS = [9, 5, 14, 7, 11, 6]


def model():
    return BertForMaskedLM.from_pretrained(HERE / "bert", dtype=torch.float32, attn_implementation="eager").train()


def padded(texts):
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    return ids, (torch.arange(longest)[None] < torch.tensor([len(text) for text in texts])[:, None]).long()


def optimiser(net):
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": DECAY},
        {"params": [p for p in net.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **ADAMW)


def measure(name, loss_of):
    net = model()
    loss = loss_of(net)
    loss.backward()
    found = {f"{name}.loss": loss.detach().reshape(1)}
    for path, parameter in net.named_parameters():
        if parameter.grad is not None:
            found[f"{name}.grad.{path}"] = parameter.grad.clone().contiguous()
    net, losses = model(), []
    steps = optimiser(net)
    for _ in range(10):
        steps.zero_grad()
        loss = loss_of(net)
        loss.backward()
        steps.step()
        losses.append(loss.item())
    found[f"{name}.adamw"] = torch.tensor(losses)
    print(f"{name}: loss {losses[0]:.4f} to {losses[-1]:.4f}, {len(found) - 2} gradients")
    return found


def main():
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(20)
    texts = [[2, *torch.randint(5, 120, (length - 2,), generator=draw).tolist(), 3] for length in LENGTHS]

    # Two blanks each: the first the mask, the second as it is.
    blanked, places, truth = [list(text) for text in texts[:4]], [], []
    for text in blanked:
        places.append(sorted((torch.randperm(len(text) - 2, generator=draw)[:2] + 1).tolist()))
        truth.append([text[place] for place in places[-1]])
        text[places[-1][0]] = 4
    ids, attends = padded(blanked)
    labels = torch.full_like(ids, -100)
    for row, (at, right) in enumerate(zip(places, truth)):
        labels[row, at] = torch.tensor(right)
    of_blanks = lambda net: net(input_ids=ids, attention_mask=attends, labels=labels).loss

    pairs, seen = padded(texts)

    def of_pairs(net):
        hidden = net.bert(input_ids=pairs, attention_mask=seen).last_hidden_state
        weights = seen[..., None].float()
        vectors = torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1))
        half = len(texts) // 2
        scores = vectors[:half] @ vectors[half:].T / TEMPERATURE
        return torch.nn.functional.cross_entropy(scores, torch.arange(half))

    found = {"lengths": torch.tensor(LENGTHS, dtype=torch.int32), "texts": torch.tensor(sum(texts, []), dtype=torch.int32)}
    found["blanked"] = torch.tensor(sum(blanked, []), dtype=torch.int32)
    found["places"], found["truth"] = (torch.tensor(values, dtype=torch.int32) for values in (places, truth))
    found.update(measure("masked", of_blanks))
    found.update(measure("contrastive", of_pairs))
    save_file(found, OUT)
    print(f"{OUT.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
