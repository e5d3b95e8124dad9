"""Writes the golden values of tests/classifiers.rs: tiny classifiers of texts and pictures with random weights, and what
transformers computes with them.

For each model, a folder with config.json, tokenizer.json and model.safetensors in classifiers/, and a reference.safetensors
with the token ids of three texts of different lengths, their scores in one padded batch, the loss against a class of each,
and the gradient of every parameter; of pictures their pixels in the place of
tokens. All values are computed by transformers itself, with eager attention, in float32 on one
thread.

    python tests/golden/make_classifiers.py        (torch 2.15, transformers 5.23)
"""

import json
import pathlib
import shutil
import tempfile

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig
from transformers import DistilBertForSequenceClassification, Gemma2Config, Gemma2ForSequenceClassification
from transformers import GPT2Config, GPT2ForSequenceClassification, GPTNeoXConfig, GPTNeoXForSequenceClassification
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast, Qwen3Config
from transformers import Qwen3ForSequenceClassification, RobertaConfig, RobertaForSequenceClassification
from transformers import ViTConfig, ViTForImageClassification

HERE = pathlib.Path(__file__).parent / "classifiers"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012.,!?\u0120"
VOCABULARY, WIDTH, LAYERS, HEADS, MLP, CONTEXT = len(SPECIAL) + len(LETTERS), 16, 2, 2, 24, 48
PADDING, END = 1, 2
LABELS = ["dull", "fine", "charming"]
# The last one ends with the token that pads where the end of a text does.
TEXTS = ["A charming film, well acted!", "No.", "Dull from end to end</s>"]
CLASSES = [2, 1, 0]


def decoder(model, config, **changes):
    """Sizes as most decoders name them."""
    sizes = {
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": MLP, "max_position_embeddings": CONTEXT, "bos_token_id": 0, "eos_token_id": END,
    }
    return model, config(**sizes, **{"pad_token_id": PADDING, **changes})


def encoder(model, config, **changes):
    return decoder(model, config, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **changes)


MAKERS = {
    "bert": lambda: encoder(BertForSequenceClassification, BertConfig),
    "roberta": lambda: encoder(RobertaForSequenceClassification, RobertaConfig, type_vocab_size=1),
    "distilbert": lambda: (
        DistilBertForSequenceClassification,
        DistilBertConfig(
            vocab_size=VOCABULARY, dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=MLP,
            max_position_embeddings=CONTEXT, dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0,
            pad_token_id=PADDING,
        ),
    ),
    "gpt2": lambda: (
        GPT2ForSequenceClassification,
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_inner=MLP,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=END, pad_token_id=END,
        ),
    ),
    "llama": lambda: decoder(LlamaForSequenceClassification, LlamaConfig, num_key_value_heads=1),
    # Untied, as its kin are: the body has no head all the same.
    "gpt-neox": lambda: decoder(
        GPTNeoXForSequenceClassification, GPTNeoXConfig, tie_word_embeddings=False, attention_dropout=0.0,
        hidden_dropout=0.0, classifier_dropout=0.0,
    ),
    "qwen3": lambda: decoder(Qwen3ForSequenceClassification, Qwen3Config, num_key_value_heads=1, head_dim=8),
    "gemma2": lambda: decoder(
        Gemma2ForSequenceClassification, Gemma2Config, num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8,
        sliding_window=8, attention_dropout=0.0,
    ),
}


def tokenizer(is_encoder):
    """One character a token, with the spelling of byte-level BPE; encoders put a text between two special tokens."""
    made = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate([*SPECIAL, *LETTERS])}, merges=[], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    if is_encoder:
        special = [("<s>", 0), ("</s>", END)]
        made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=special)
    return made


def randomise(model, generator):
    """Weights large enough that classes differ clearly, and every gradient can be told from rounding."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = "norm" in name.lower() and name.endswith("weight") or ".ln_" in name and name.endswith("weight")
            parameter.copy_(1 + 0.2 * noise if is_gain else 0.25 * noise)


def write(name, make):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model_class, config = make()
    config._attn_implementation = "eager"
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: i for i, label in enumerate(LABELS)}
    model = model_class(config).eval()
    randomise(model, torch.Generator().manual_seed(7))

    is_encoder = name in ("bert", "roberta", "distilbert")
    padding = config.pad_token_id
    text_tokenizer = tokenizer(is_encoder)
    PreTrainedTokenizerFast(
        tokenizer_object=text_tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        pad_token=[*SPECIAL, *LETTERS][padding], model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    rows = [text_tokenizer.encode(text).ids for text in TEXTS]
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    output = model(input_ids=ids, attention_mask=mask, labels=torch.tensor(CLASSES))
    # A text by itself is scored as it is in the batch, but for rounding.
    for row, together in zip(rows, output.logits):
        alone = model(input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.long)).logits[0]
        assert (alone - together).abs().max() < 1e-4 * together.abs().max(), (name, alone, together)
    output.loss.backward()

    model.save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    settings.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")
    reference = {f"ids.{i}": torch.tensor(row, dtype=torch.int32) for i, row in enumerate(rows)}
    reference["logits"] = output.logits.detach().contiguous()
    reference["loss"] = output.loss.detach().reshape(1)
    for parameter, value in model.named_parameters():
        gradient = torch.zeros_like(value) if value.grad is None else value.grad
        reference[f"grad.{parameter}"] = gradient.contiguous()
    save_file(reference, folder / "reference.safetensors")
    print(name, [[round(x, 3) for x in row] for row in output.logits.tolist()], round(output.loss.item(), 4))


def write_pictures():
    """A vision transformer on three pictures of noise."""
    folder = HERE / "vit"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=MLP, image_size=12,
        patch_size=4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    config._attn_implementation = "eager"
    model = ViTForImageClassification(config).eval()
    generator = torch.Generator().manual_seed(8)
    randomise(model, generator)
    pixels = torch.randn(len(CLASSES), 3, 12, 12, generator=generator)
    output = model(pixel_values=pixels, labels=torch.tensor(CLASSES))
    output.loss.backward()
    model.save_pretrained(folder)
    pictures = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 12}, "do_resize": True, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures, indent=1) + "\n")
    settings = json.loads((folder / "config.json").read_text())
    settings.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")
    reference = {"pixels": pixels, "logits": output.logits.detach(), "loss": output.loss.detach().reshape(1)}
    # Files have other names than modules in memory, so gradients are written as if they were weights.
    with torch.no_grad(), tempfile.TemporaryDirectory() as scratch:
        for value in model.parameters():
            value.copy_(value.grad)
        model.save_pretrained(scratch)
        gradients = load_file(pathlib.Path(scratch) / "model.safetensors")
    reference.update({f"grad.{name}": value for name, value in gradients.items()})
    save_file(reference, folder / "reference.safetensors")
    print("vit", output.logits.tolist(), output.loss.item())


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_pictures()
    for name, make in MAKERS.items():
        write(name, make)
