"""Writes the files in gguf/ that tests of GGUF read.

blocks.safetensors: random bytes as blocks of each type with the values gguf-py reads from them, and random values with the blocks
of Q8_0 it writes. NAME.gguf: the tiny models of the other folders, written with gguf-py as llama.cpp's converter lays them, and in
expected.safetensors what transformers makes of a sequence; llama.cpp is asked too where its binding is installed. mixed.gguf: a
Llama whose tensors are of many types. tokens-WAY.gguf and tokens.json: tokenizers of each kind, and the ids their originals give.

    python tests/golden/make_gguf.py        (gguf 0.19, torch 2.15, transformers 5.24, tokenizers 0.23; llama-cpp-python 0.3.36)
"""

import json
import pathlib

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file
from safetensors.torch import load_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, BertModel, LlamaConfig, LlamaForCausalLM

GOLDEN = pathlib.Path(__file__).parent
HERE = GOLDEN / "gguf"
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Where the numbers of half precision stand in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31, 45, 2]
KIND = gguf.GGMLQuantizationType


def blocks():
    random = np.random.default_rng(17)
    tensors = {}
    for name in TYPES:
        kind = KIND[name]
        elements, size = GGML_QUANT_SIZES[kind]
        data = random.integers(0, 256, size=(1024 // elements, size), dtype=np.uint8)
        for at in SCALES[name]:
            # Any number of half precision that is finite, those below the smallest normal one among them.
            half = data[:, at : at + 2].copy().view(np.uint16)
            half[(half & 0x7C00) == 0x7C00] ^= 0x4000
            half[0] &= 0x83FF
            data[:, at : at + 2] = half.view(np.uint8)
        tensors[f"{name}.blocks"] = data
        tensors[f"{name}.values"] = gguf.quants.dequantize(data, kind)
    values = random.standard_normal((24, 32)).astype(np.float32) * np.float32(10.0) ** random.integers(-4, 4, size=(24, 1)).astype(np.float32)
    values[0] = 0
    # Halves between two numbers, which are rounded away from zero.
    values[1] = np.arange(32) - np.float32(15.5)
    values[1, 0] = 127
    tensors["encode.values"] = values.astype(np.float32)
    tensors["encode.blocks"] = gguf.quants.quantize(tensors["encode.values"], KIND.Q8_0)
    save(tensors, "blocks")


def save(tensors, name):
    path = HERE / f"{name}.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)


# What llama.cpp's converter does to tensors.


def paired(weight, heads):
    """Queries and keys of Llamas: the two values that turn together stand beside each other."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def by_kind(weight, heads):
    """GPT-NeoX: all queries, all keys, all values."""
    return weight.reshape(heads, 3, weight.shape[0] // heads // 3, *weight.shape[1:]).swapaxes(0, 1).reshape(weight.shape)


ARCHITECTURES = {
    "gpt2": gguf.MODEL_ARCH.GPT2, "gpt_neox": gguf.MODEL_ARCH.GPTNEOX, "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gemma2": gguf.MODEL_ARCH.GEMMA2, "bert": gguf.MODEL_ARCH.BERT,
}


def converted(name, weight, config):
    """One tensor as the converter lays it."""
    kind, heads = config.model_type, config.num_attention_heads
    if kind in ("llama", "mistral") and ".q_proj." in name:
        return paired(weight, heads)
    if kind in ("llama", "mistral") and ".k_proj." in name:
        return paired(weight, config.num_key_value_heads)
    if kind == "gpt_neox" and ".query_key_value." in name:
        return by_kind(weight, heads)
    if kind == "gpt2" and weight.ndim == 2 and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return weight.T
    if kind == "gemma2" and name.endswith("norm.weight"):
        return weight + np.float32(1)
    return weight


def settings(writer, config):
    kind = config.model_type
    blocks_, heads, hidden = config.num_hidden_layers, config.num_attention_heads, config.hidden_size
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(hidden)
    writer.add_block_count(blocks_)
    writer.add_head_count(heads)
    if kind in ("gpt2", "bert", "gpt_neox"):
        inner = config.n_inner if kind == "gpt2" else config.intermediate_size
        writer.add_feed_forward_length(inner)
        writer.add_layer_norm_eps(config.layer_norm_epsilon if kind == "gpt2" else config.layer_norm_eps)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        if width := getattr(config, "head_dim", None):
            writer.add_key_length(width)
            writer.add_value_length(width)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        if kind in ("llama", "mistral"):
            writer.add_rope_dimension_count(config.head_dim)
            writer.add_vocab_size(config.vocab_size)
    if kind == "gpt_neox":
        writer.add_rope_dimension_count(int(hidden // heads * config.rope_parameters["partial_rotary_factor"]))
        writer.add_parallel_residual(config.use_parallel_residual)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if kind == "mistral":
        writer.add_sliding_window(config.sliding_window)
    if kind == "gemma2":
        writer.add_sliding_window(config.sliding_window)
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if kind == "bert":
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType.MEAN)


def llama3_factors(config):
    rope = config.rope_parameters
    width = config.head_dim
    frequencies = 1.0 / (rope["rope_theta"] ** (torch.arange(0, width, 2, dtype=torch.float32) / width))
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    original = rope["original_max_position_embeddings"]
    factors = []
    for frequency in frequencies:
        wavelength = 2 * np.pi / frequency
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(rope["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def byte_tokens(writer, folder):
    """The tokenizer of the tiny models, byte-level, with the one merge that llama.cpp wants to see."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    size = max([*vocabulary.values(), *special]) + 1
    by_id = {id: token for token, id in vocabulary.items()} | special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    by_id[size - 2] = by_id[0] + by_id[1]
    writer.add_token_list([by_id[id] for id in range(size)])
    writer.add_token_types([gguf.TokenType.CONTROL if id in special else gguf.TokenType.NORMAL for id in range(size)])
    writer.add_token_merges([f"{by_id[0]} {by_id[1]}"])
    writer.add_eos_token_id(size - 1)
    writer.add_add_bos_token(False)


def word_pieces(writer, words, special):
    tokens, types = [], []
    for word in words:
        control = word in special
        tokens.append(word if control else word[2:] if word.startswith("##") else "\u2581" + word)
        types.append(gguf.TokenType.CONTROL if control else gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_type_count(2)
    for role, token in [("unk", "[UNK]"), ("pad", "[PAD]"), ("sep", "[SEP]"), ("mask", "[MASK]")]:
        getattr(writer, f"add_{role}_token_id")(words.index(token))
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_eos_token_id(words.index("[SEP]"))


SPECIAL_WORDS = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
# Fields that GGUF has no place for, as llama.cpp would compute the model.
CHANGES = {
    "gemma2": {"query_pre_attn_scalar": 8},
    "qwen2": {"use_sliding_window": False, "sliding_window": None, "layer_types": ["full_attention"] * 2},
}
FILES = ["gpt2", "gpt-neox", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "bert"]
# Those whose window or biases llama.cpp has no place for.
OURS_ALONE = {"mistral"}


def model_file(name, expected):
    folder = GOLDEN / name
    config = AutoConfig.from_pretrained(folder)
    for field, value in CHANGES.get(name, {}).items():
        setattr(config, field, value)
    weights = load_file(folder / "model.safetensors")
    if name == "bert":
        model = BertModel.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False)
        weights = {key.removeprefix("bert."): value for key, value in weights.items() if key.startswith("bert.")}
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        output = model.eval()(torch.tensor([IDS]))
    values = output.last_hidden_state if name == "bert" else output.logits
    expected[name] = values[0].numpy()

    architecture = ARCHITECTURES[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    path = HERE / f"{name}.gguf"
    # One model in parts as well.
    for split in [0, 12] if name == "llama3" else [0]:
        place = HERE / "parts.gguf" if split else path
        write_model(place, name, folder, config, weights, architecture, names, split)
    if name not in OURS_ALONE | {"bert"}:
        ask_llama_cpp(path, expected[name])


def write_model(path, name, folder, config, weights, architecture, names, split):
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture], split_max_tensors=split)
    writer.add_name(f"tiny {name}")
    settings(writer, config)
    if name == "bert":
        word_pieces(writer, (folder / "vocab.txt").read_text().splitlines(), SPECIAL_WORDS)
    else:
        byte_tokens(writer, folder)
    if name == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    for key, value in weights.items():
        if key.endswith((".attn.bias", "masked_bias", "position_ids")) or key.startswith("pooler.") or (config.tie_word_embeddings and key == "lm_head.weight"):
            continue
        theirs = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert theirs, key
        half = value.dtype if value.ndim > 1 else torch.float32
        data = np.ascontiguousarray(converted(key, value.float().numpy(), config))
        if half == torch.bfloat16:
            writer.add_tensor(theirs, gguf.quants.quantize(data, KIND.BF16), raw_dtype=KIND.BF16)
        else:
            writer.add_tensor(theirs, data.astype(np.float16 if half == torch.float16 else np.float32))
    write(writer)


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ask_llama_cpp(path, expected):
    """Whether llama.cpp, which wrote the rules, computes what transformers does: its activations have 8 to 11 bits beside weights of
    half precision, so to a few hundredths of the largest score."""
    try:
        import llama_cpp
    except ImportError:
        return
    model = llama_cpp.Llama(str(path), n_ctx=64, n_batch=32, logits_all=True, verbose=False)
    model.eval(IDS)
    scores = np.array(model.scores[: len(IDS)])
    off = np.abs(scores - expected).max() / np.abs(expected).max()
    print(f"{path.name}: llama.cpp differs by {off:.1e} of the largest score")
    assert off < 4e-2, path


def mixed(expected):
    """A Llama with a block of width 256 whose matrices are of all types."""
    random = np.random.default_rng(5)
    config = LlamaConfig(
        vocab_size=64, hidden_size=256, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        head_dim=32, max_position_embeddings=64, tie_word_embeddings=False, bos_token_id=None, eos_token_id=63,
    )
    model = LlamaForCausalLM._from_config(config, dtype=torch.float32, attn_implementation="eager")
    types = iter(["Q8_0", "Q4_K", "Q5_K", "Q6_K", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16", "BF16"] * 3)
    small = iter(["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"] * 3)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    writer = gguf.GGUFWriter(HERE / "mixed.gguf", "llama")
    settings(writer, config)
    byte_tokens(writer, GOLDEN / "llama")
    state = {}
    for key, value in model.state_dict().items():
        theirs = names.get_name(key, try_suffixes=(".weight", ".bias"))
        heads = {"q_proj": 2, "k_proj": 1}.get(key.split(".")[-2])
        if value.ndim == 1:
            data = 1 + 0.2 * random.standard_normal(value.shape).astype(np.float32)
            # Vectors may be of any type, too, though llama.cpp computes with F32 alone.
            kind = KIND.Q8_0 if "post_attention" in key else KIND.F32
        else:
            data = random.standard_normal(value.shape).astype(np.float32) * np.float32(0.06)
            kind = KIND[next(small if value.shape[1] % 256 else types)]
        if kind.name.endswith("_K"):
            elements, size = GGML_QUANT_SIZES[kind]
            stored = random.integers(0, 256, size=(value.shape[0], value.shape[1] // elements * size), dtype=np.uint8)
            rows = stored.reshape(-1, size)
            for at, scale in zip(SCALES[kind.name], [1.0e-4, 7.0e-4]):
                rows[:, at : at + 2] = np.float16(scale if kind != KIND.Q6_K else 5e-5).reshape(1).view(np.uint8)
        else:
            stored = gguf.quants.quantize(data, kind)
        plain = gguf.quants.dequantize(stored, kind).reshape(tuple(value.shape))
        if heads:  # The file's order back to ours.
            plain = plain.reshape(heads, value.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(plain.shape)
        state[key] = torch.from_numpy(np.ascontiguousarray(plain.astype(np.float32)))
        writer.add_tensor(theirs, stored, raw_dtype=kind)
    write(writer)
    model.load_state_dict(state)
    with torch.no_grad():
        expected["mixed"] = model.eval()(torch.tensor([IDS])).logits[0].numpy()


TEXTS = [
    "", " ", "  ", "hello", " Hello  World ", "The cat sat on the mat. The cats' hats aren't here; we'll see, I'M sure.",
    "tab\tnew\nline\r\nend\n\n\nthree", "   leading and trailing   ", "12 345 6789 1234567890 3.14 ½ ٣", "a1b2c3", "x+y=z <= $100 | ~^",
    "café naïve Ångström", "cafe\u0301 A\u030a", "漢字とかな mixed 한국어", "Привет, мир! שלום", "İstanbul ß ﬁne",
    "🙂 emoji 👨‍👩‍👧", "nul\u0000 bell\u0007 soft\u00adhyphen zero\u200bwidth \ufeffbom", "\u00a0nbsp\u2003em\u3000wide ",
    "<|im_start|>user\nhi<|im_end|>\n", "a<s>b</s> c", "▁ the ▁▁ mark", "camelCaseWords XMLHttpRequest", "'s 'S don'T",
    "def f(x):\n    return x  # two\n\n", "[CLS] the [MASK] [SEP]", "unaffable playing", "\U0010fffd", "a" * 40,
]
CORPUS = [
    "The cat sat on the mat. The hat of the cat is here, and the cats are on the mats.", "hello hello world, we'll see the world",
    "def f(x):\n    return x\n\n", "numbers 12 123 1234 2024", "   spaces   and  more    spaces", "camelCase XMLHttp user hi",
    "café naïve mixed emoji user", "the the the and and on on here here see see",
] * 4

GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# The published tokenizers: how they split, whether they compose, whether a whole word is a token before any merge.
WAYS = {
    "gpt-2": (GPT2, False, False),
    "olmo": (GPT2, True, False),
    "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]), False, False),
    "llama-bpe": (split(LLAMA3), False, True),
    "qwen2": (split(QWEN2), True, False),
}
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(way):
    splitter, composed, whole = WAYS[way]
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
    tokenizer.normalizer = normalizers.NFC() if composed else None
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=MARKS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken("camelCase", normalized=False)])
    begins = way == "llama-bpe"
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    saved = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(vocabulary, key=vocabulary.get)
    writer = gguf.GGUFWriter(HERE / f"tokens-{way}.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(way)
    writer.add_token_list(tokens)
    kinds = {mark: gguf.TokenType.CONTROL for mark in MARKS} | {"camelCase": gguf.TokenType.USER_DEFINED}
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in saved["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}")
    write(writer)
    return tokenizer


def pieces(way):
    """SentencePiece's pieces with byte fallback, as Llama 2 and Gemma have them; the original is SentencePiece itself."""
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=400, model_type="bpe", byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=way == "llama", allow_whitespace_only_pieces=True,
        pad_id=-1, hard_vocab_limit=False, minloglevel=2, num_threads=1, character_coverage=1.0,
    )
    original = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    writer = gguf.GGUFWriter(HERE / f"tokens-{way}.gguf", "gemma2" if way == "gemma" else "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    size = original.get_piece_size()
    kinds = []
    for id in range(size):
        kinds.append(
            gguf.TokenType.UNKNOWN if original.is_unknown(id) else gguf.TokenType.CONTROL if original.is_control(id)
            else gguf.TokenType.BYTE if original.is_byte(id) else gguf.TokenType.NORMAL
        )
    writer.add_token_list([original.id_to_piece(id) for id in range(size)])
    writer.add_token_scores([original.get_score(id) for id in range(size)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    if way == "gemma":
        writer.add_add_space_prefix(False)
    write(writer)
    return original


def tokenizers():
    ids = {}
    for way in WAYS:
        tokenizer = byte_level(way)
        ids[way] = [tokenizer.encode(text).ids for text in TEXTS]
    for way in ["llama", "gemma"]:
        original = pieces(way)
        # SentencePiece takes no special tokens from a text, and its own marks for spaces.
        plain = [text for text in TEXTS if "<s>" not in text and "\u2581" not in text]
        ids[way] = [[1, *original.encode(text)] if text in plain else None for text in TEXTS]
    (HERE / "tokens.json").write_text(json.dumps({"texts": TEXTS, "ids": ids}, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    blocks()
    values = {}
    for file in FILES:
        model_file(file, values)
    mixed(values)
    save(values, "expected")
    tokenizers()
