"""Writes the golden values of tests/parity_encoders.rs: tiny encoders and image classifiers with random weights, and what
transformers computes with them.

For each model, a folder with config.json, model.safetensors and the tokenizer or picture settings, and a
reference.safetensors with the value at every site, the same texts padded at either end, token ids of awkward texts, pixel
values, logits. All values are computed by transformers itself, with eager attention, in float32 on one thread; resizing
by Pillow. The site names are Fovea's.

    python tests/golden/make_golden_encoders.py [MINILM]      (torch 2.15, transformers 5.23, pillow 12)

(vit-gray came later, with transformers 5.24 and pillow 13, which resizes pictures of these sizes as pillow 12 does.)

With the folder of all-minilm-l6-v2 it also writes the reference of that model's embeddings.
"""

import json
import pathlib
import shutil
import sys

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForMaskedLM, BertModel, DeiTConfig
from transformers import DeiTForImageClassificationWithTeacher, DistilBertConfig, DistilBertForMaskedLM
from transformers import RobertaConfig, RobertaForMaskedLM, ViTConfig, ViTForImageClassification
from transformers.models.bert import modeling_bert
from transformers.models.deit import modeling_deit
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.distilbert import modeling_distilbert
from transformers.models.roberta import modeling_roberta
from transformers.models.vit import modeling_vit
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

HERE = pathlib.Path(__file__).parent
WIDTH, HEADS, MLP, LAYERS, CONTEXT, TOKENS = 24, 4, 32, 2, 40, 9
SIDE, PATCH = 16, 4
LABELS = ["circle", "square", "triangle", "star", "line"]

# Accents composed and not, scripts without spaces, emoji, control characters, spaces of every kind, a very long word,
# casing that changes lengths, special tokens inside a text.
TEXTS = [
    "", " ", "hello", " Hello  World ", "The [MASK] is blue.", "the <mask> is  blue", "a[SEP]b [CLS]", "a</s>b<s>",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m", "cafe\u0301 A\u030a", "\u6f22\u5b57\u3068\u304b\u306a mixed",
    "\u0130stanbul \u00df \ufb01ne", "\U0001f642 emoji \U0001f468\u200d\U0001f469\u200d\U0001f467", "tab\tnew\nline\r\nend",
    "nul\u0000 bell\u0007 soft\u00adhyphen zero\u200bwidth \ufeffbom", "\u00a0nbsp\u2003em\u3000wide ",
    "x" * 101 + " " + "the" * 40, "don't stop, it's 'quoted' \u2014 \u201cyes\u201d!?", "unaffable playing players play",
    "3.14 1,000 $5 50% C++ a_b #tag @you", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd \u0939\u093f\u0928\u094d\u0926\u0940", "\u1100\u1161\u11a8 \uac01",
    "\ufffd \ue000 private", "  leading and trailing  ", "MiXeD CaSe \u01c5 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
]
SENTENCES = [
    "A cat sits on the mat.", "A kitten rests on a rug.", "The stock market fell sharply today.", "", "Caf\u00e9 \u6f22\u5b57 \U0001f642",
    "word " * 400,
]


def words():
    """A WordPiece vocabulary with the letters, and whole words and pieces of some of the texts."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-$%#@_+\u00e9\u00df\u2014\u201c\u201d"
    pieces = [*letters, *("##" + letter for letter in letters[:36]), *"\u6f22\u5b57\u3068\u304b\u306a\u03c3\u03b9\u03c5\u03c6\u03bf", "\U0001f642"]
    whole = ["the", "is", "blue", "hello", "world", "play", "##ing", "##ers", "un", "##aff", "##able", "cafe", "naive", "The", "Hello"]
    return special + pieces + whole


def byte_letters():
    """The 256 letters of byte-level BPE: printable Latin-1 stands for itself, the rest is numbered from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(hidden)) for byte in range(256)]


def write_word_piece(folder, **settings):
    (folder / "vocab.txt").write_text("\n".join(words()) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **settings}, indent=1))


def write_byte_bpe(folder):
    merges = ["\u0120 t", "h e", "\u0120t he", "i s", "\u0120 is", "l l", "he ll", "hell o", "\u0120 b"]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *byte_letters(), *(m.replace(" ", "") for m in merges), "<mask>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(dict.fromkeys(tokens))}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer", "mask_token": mask}, indent=1))
    return len(dict.fromkeys(tokens))


def text_shape(vocabulary):
    return {
        "vocab_size": vocabulary, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": MLP, "max_position_embeddings": CONTEXT, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0, "attn_implementation": "eager",
    }


def picture_shape():
    return {
        "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": MLP,
        "image_size": SIDE, "patch_size": PATCH, "id2label": dict(enumerate(LABELS)),
        "label2id": {label: i for i, label in enumerate(LABELS)}, "attn_implementation": "eager",
    }


def randomise(model, dtype, generator):
    """Weights large enough that every site differs clearly, exactly representable in the file's element type."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = "norm" in name.lower() and name.endswith("weight")
            parameter.copy_((1 + 0.2 * noise if is_gain else 0.25 * noise).to(dtype).float())


class Recorder:
    """Watches modules and attention while a model runs, and keeps what each site holds, without the batch dimension."""

    def __init__(self, modeling):
        self.modeling, self.sites, self.hooks, self.layer_of = modeling, {}, [], {}

    def keep(self, name, value):
        self.sites[name] = value.detach()[0].clone().contiguous()

    def output(self, module, name):
        self.hooks.append(module.register_forward_hook(lambda _m, _i, output: self.keep(name, output)))

    def input(self, module, name):
        def hook(_module, inputs, kwargs):
            self.keep(name, inputs[0] if inputs else kwargs["hidden_states"])

        self.hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def run(self, model, **inputs):
        eager, softmax = self.modeling.eager_attention_forward, torch.nn.functional.softmax

        def attention(module, query, key, value, *rest, **kwargs):
            at = self.layer_of[module] + "attn."
            for name, tensor in {"q": query, "k": key, "v": value}.items():
                self.keep(at + name, tensor)

            def watched(scores, *rest, **kwargs):
                self.keep(at + "scores", scores)
                return softmax(scores, *rest, **kwargs)

            torch.nn.functional.softmax = watched
            output, pattern = eager(module, query, key, value, *rest, **kwargs)
            torch.nn.functional.softmax = softmax
            self.keep(at + "pattern", pattern)
            self.keep(at + "z", output.transpose(1, 2))
            return output, pattern

        self.modeling.eager_attention_forward = attention
        try:
            with torch.no_grad():
                result = model(**inputs)
        finally:
            self.modeling.eager_attention_forward, torch.nn.functional.softmax = eager, softmax
            for hook in self.hooks:
                hook.remove()
        if getattr(result, "logits", None) is not None:
            self.keep("logits", result.logits)
        return self.sites


def text_sites(model, modeling, inputs):
    recorder = Recorder(modeling)
    body = model.base_model
    embeddings = body.embeddings
    recorder.output(embeddings.word_embeddings, "embed")
    recorder.output(embeddings.position_embeddings, "pos_embed")
    if hasattr(embeddings, "token_type_embeddings"):
        recorder.output(embeddings.token_type_embeddings, "token_type_embed")
    if getattr(body, "pooler", None) is not None:
        recorder.output(body.pooler, "pooled")
    is_distilled = hasattr(body, "transformer")
    for layer, block in enumerate(body.transformer.layer if is_distilled else body.encoder.layer):
        at = f"blocks.{layer}."
        recorder.layer_of[block.attention if is_distilled else block.attention.self] = at
        recorder.input(block, at + "resid_pre")
        recorder.output(block.attention.out_lin if is_distilled else block.attention.output.dense, at + "attn_out")
        recorder.output(block.sa_layer_norm if is_distilled else block.attention.output.LayerNorm, at + "resid_mid")
        recorder.output(block.ffn.lin1 if is_distilled else block.intermediate.dense, at + "mlp.pre")
        last = block.ffn.lin2 if is_distilled else block.output.dense
        recorder.input(last, at + "mlp.post")
        recorder.output(last, at + "mlp_out")
        recorder.output(block.output_layer_norm if is_distilled else block.output.LayerNorm, at + "resid_post")
    return recorder.run(model, **inputs)


def picture_sites(model, modeling, pixels):
    recorder = Recorder(modeling)
    body = model.base_model
    recorder.output(body.embeddings.patch_embeddings, "embed")
    recorder.output(body.layernorm, "ln_final")
    for layer, block in enumerate(body.layers):
        at = f"blocks.{layer}."
        recorder.layer_of[block.attention] = at
        recorder.input(block, at + "resid_pre")
        recorder.output(block.attention.o_proj, at + "attn_out")
        recorder.input(block.layernorm_after, at + "resid_mid")
        recorder.output(block.mlp.fc1, at + "mlp.pre")
        recorder.input(block.mlp.fc2, at + "mlp.post")
        recorder.output(block.mlp.fc2, at + "mlp_out")
        recorder.output(block, at + "resid_post")
    recorder.keep("pos_embed", body.embeddings.position_embeddings)
    return recorder.run(model, pixel_values=pixels)


def padded(model, rows, padding, left):
    """The hidden vectors and logits of rows of different lengths, filled up at one end."""
    longest = max(map(len, rows))
    fill = [[padding] * (longest - len(row)) for row in rows]
    ids = torch.tensor([f + r if left else r + f for f, r in zip(fill, rows)])
    mask = torch.tensor([[0] * len(f) + [1] * len(r) if left else [1] * len(r) + [0] * len(f) for f, r in zip(fill, rows)])
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    values = {"ids": ids.int(), "mask": mask.int(), "hidden": output.hidden_states[-1]}
    if getattr(output, "logits", None) is not None:
        values["logits"] = output.logits
    end = "left" if left else "right"
    return {f"padded.{end}.{name}": value.contiguous() for name, value in values.items()}


def fresh_folder(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def save_model(model, make, dtype, folder):
    copy = make()
    copy.load_state_dict(model.state_dict())
    copy.to(dtype).save_pretrained(folder)


def text_ids(tokenizer):
    return {"texts": TEXTS, "ids": [tokenizer(text)["input_ids"] for text in TEXTS]}


def finish(folder, reference):
    save_file(reference, folder / "reference.safetensors")
    print(folder.name, sum(f.stat().st_size for f in folder.iterdir()) // 1024, "KiB")


def write_text_model(name, make, modeling, dtype, write_tokenizer):
    generator = torch.Generator().manual_seed(len(name))
    folder = fresh_folder(name)
    write_tokenizer(folder)
    model = make()
    randomise(model, dtype, generator)
    model.eval()
    save_model(model, make, dtype, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (folder / "texts.json").write_text(json.dumps(text_ids(tokenizer)))

    # Ids of real tokens only: the padding token inside a text would move RoBERTa's positions.
    low, high = 5, model.config.vocab_size
    row = lambda length: torch.randint(low, high, (1, length), generator=generator)
    ids = row(TOKENS)
    inputs = {"input_ids": ids}
    reference = {"ids": ids.int()}
    if getattr(model.config, "type_vocab_size", 0) == 2:
        inputs["token_type_ids"] = torch.tensor([[0] * 4 + [1] * (TOKENS - 4)])
        reference["types"] = inputs["token_type_ids"].int()
    reference.update({f"site.{site}": value for site, value in text_sites(model, modeling, inputs).items()})
    rows = [row(length)[0].tolist() for length in (7, 3, 5)]
    for left in (False, True):
        reference.update(padded(model, rows, model.config.pad_token_id, left))
    finish(folder, reference)


def write_picture_model(name, make, modeling, processor, sizes, mode="RGB"):
    generator = torch.Generator().manual_seed(len(name))
    folder = fresh_folder(name)
    model = make()
    randomise(model, torch.float32, generator)
    model.eval()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    reference = {}
    for place, (width, height) in enumerate(sizes):
        # Smooth shapes and hard edges: both kinds of resampling error would show.
        x, y = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
        colours = [(x * 255 // width), (y * 255 // height), ((x // 3 + y // 2) % 2) * 255]
        pixels = torch.stack(colours, -1).to(torch.uint8).numpy()
        picture = Image.fromarray(pixels)
        picture.save(folder / f"picture-{place}.png")
        values = processor(picture.convert(mode), return_tensors="pt")["pixel_values"]
        reference[f"pixels.{place}"] = values[0].contiguous()
        with torch.no_grad():
            reference[f"logits.{place}"] = model(pixel_values=values).logits[0]
        if place == 0:
            sites = picture_sites(model, modeling, values)
            reference.update({f"site.{site}": value for site, value in sites.items()})
    finish(folder, reference)


def write_minilm(source):
    """Sentence embeddings of a real model: the mean of the tokens' vectors, scaled to length 1."""
    folder = fresh_folder("minilm")
    tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source)
    limit = json.loads((pathlib.Path(source) / "sentence_bert_config.json").read_text())["max_seq_length"]
    batch = tokenizer(SENTENCES, padding="longest", truncation=True, max_length=limit, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    texts = text_ids(tokenizer) | {"sentences": SENTENCES, "tokens": batch["attention_mask"].sum(1).tolist()}
    (folder / "texts.json").write_text(json.dumps(texts))
    finish(folder, {"embeddings": vectors.contiguous()})


def main():
    torch.set_num_threads(1)
    v = len(words())

    def bare():
        return BertModel(BertConfig(**text_shape(v), layer_norm_eps=1e-5))

    def masked(**changes):
        return BertForMaskedLM(BertConfig(**text_shape(v), **changes))

    def roberta():
        size = len(byte_letters()) + 14
        return RobertaForMaskedLM(RobertaConfig(**text_shape(size), type_vocab_size=1, pad_token_id=1))

    def distilbert():
        return DistilBertForMaskedLM(DistilBertConfig(
            vocab_size=v, dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=MLP, max_position_embeddings=CONTEXT,
            dropout=0.0, attention_dropout=0.0, attn_implementation="eager",
        ))

    write_text_model("bert", masked, modeling_bert, torch.float32, write_word_piece)
    cased = {"do_lower_case": False, "strip_accents": False}
    write_text_model("bert-bare", bare, modeling_bert, torch.float16, lambda f: write_word_piece(f, **cased))
    write_text_model("roberta", roberta, modeling_roberta, torch.float32, write_byte_bpe)
    plain = {"strip_accents": False, "tokenize_chinese_chars": False}
    write_text_model("distilbert", distilbert, modeling_distilbert, torch.bfloat16, lambda f: write_word_piece(f, **plain))

    write_picture_model(
        "vit", lambda: ViTForImageClassification(ViTConfig(**picture_shape())), modeling_vit,
        ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}), [(37, 23), (11, 50)],
    )
    write_picture_model(
        "vit-gray", lambda: ViTForImageClassification(ViTConfig(**picture_shape(), num_channels=1)), modeling_vit,
        ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_mean=[0.1307], image_std=[0.3081]),
        [(37, 23), (50, 11)], "L",
    )
    deit = DeiTImageProcessorPil(
        size={"height": SIDE + 4, "width": SIDE + 4}, crop_size={"height": SIDE, "width": SIDE},
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )
    make = lambda: DeiTForImageClassificationWithTeacher(DeiTConfig(**picture_shape()))
    write_picture_model("deit", make, modeling_deit, deit, [(37, 23), (9, 13)])
    if len(sys.argv) > 1:
        write_minilm(sys.argv[1])


if __name__ == "__main__":
    main()
