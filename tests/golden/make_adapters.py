"""Writes adapters/, what tests/adapters.rs and tests/adapters_classes.rs compare with: adapters that PEFT made of the models beside this
file, saved by PEFT, and what transformers computes with them.

Each folder holds adapter_config.json and adapter_model.safetensors as PEFT writes them, and expected.safetensors: ids, the logits of
the base, with the adapter, and of the model that PEFT merges (for an encoder the last hidden states). A and B are random; so is what
stands in the place of whole modules. Of classifiers there are the scores of several texts or pictures, the loss against a class of each,
and the gradient of all that learns under its name in the adapter's file.

    python tests/golden/make_adapters.py        (torch 2.15, transformers 5.23, peft 0.21)
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageClassification, AutoModelForSequenceClassification

HERE = pathlib.Path(__file__).parent
OUT = HERE / "adapters"
IDS = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31]
CAUSAL = "CAUSAL_LM"
# Name, base, settings.
CASES = [
    # Turned projections, divided by the root of the rank, c_proj of attention and of the MLP.
    ("gpt2-stabilised", "gpt2", {"r": 4, "lora_alpha": 6, "use_rslora": True, "fan_in_fan_out": True,
                                 "target_modules": ["c_attn", "c_proj", "c_fc"], "task_type": CAUSAL}),
    # Every matrix, some with ranks and alphas of their own: by the end of a path, and by an expression.
    ("llama-varied", "llama", {"r": 2, "lora_alpha": 4, "target_modules": "all-linear", "task_type": CAUSAL,
                               "rank_pattern": {"o_proj": 3, r"layers\.1\.self_attn\.[qk]_proj": 5},
                               "alpha_pattern": {"layers.0.mlp.down_proj": 7, "o_proj": 1}}),
    # A whole head beside the change; files call it embed_out, and so did transformers before version 5.
    ("gpt-neox-head", "gpt-neox", {"r": 3, "lora_alpha": 3, "target_modules": ["query_key_value", "dense", "dense_4h_to_h"],
                                   "modules_to_save": ["lm_head"], "task_type": CAUSAL}),
    ("gemma2", "gemma2", {"r": 2, "lora_alpha": 4, "target_modules": r"model\.layers\.\d+\.(self_attn\.[qv]_proj|mlp\.gate_proj)",
                          "task_type": CAUSAL}),
    # Embeddings that are the head as well: the change of one is none of the other.
    ("llama-tied-table", "llama-tied", {"r": 2, "lora_alpha": 4, "target_modules": ["embed_tokens", "v_proj"], "task_type": CAUSAL}),
    ("bert", "bert", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["query", "value", "output.dense"]}),
    ("roberta", "roberta", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["key", "intermediate.dense"]}),
    ("distilbert", "distilbert", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["q_lin", "lin2"]}),
    # Saved before it learned anything: B is zero.
    ("llama-identity", "llama", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "task_type": CAUSAL}),
    # Embeddings and head as a whole, where they are one matrix in the base.
    ("llama-tied-whole", "llama-tied", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "task_type": CAUSAL,
                                        "modules_to_save": ["embed_tokens", "lm_head"]}),
]

CLASSES = "SEQ_CLS"
# The same of classifiers: PEFT adds the head to what is saved as a whole.
OF_CLASSES = [
    ("classes-bert", "classifiers/bert", {"r": 2, "lora_alpha": 4, "task_type": CLASSES, "target_modules": "all-linear"}),
    ("classes-roberta", "classifiers/roberta", {"r": 2, "lora_alpha": 4, "task_type": CLASSES, "target_modules": ["query", "dense"]}),
    # The layer before the last one is saved because its name ends like the last one's.
    ("classes-distilbert", "classifiers/distilbert", {"r": 2, "lora_alpha": 4, "task_type": CLASSES,
                                                      "target_modules": ["q_lin", "v_lin"]}),
    ("classes-gpt2", "classifiers/gpt2", {"r": 2, "lora_alpha": 6, "use_rslora": True, "fan_in_fan_out": True, "task_type": CLASSES,
                                          "target_modules": ["c_attn", "c_proj"]}),
    ("classes-llama", "classifiers/llama", {"r": 2, "lora_alpha": 4, "task_type": CLASSES, "target_modules": "all-linear"}),
    ("classes-vit", "classifiers/vit", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["classifier"]}),
    # On bodies: the head is the adapter's alone; of BERT the pooler, too, where it is named.
    ("classes-on-llama", "llama", {"r": 2, "lora_alpha": 4, "task_type": CLASSES, "target_modules": ["q_proj", "v_proj"]}),
    ("classes-on-bert", "bert-bare", {"r": 2, "lora_alpha": 4, "task_type": CLASSES, "target_modules": ["query", "value"],
                                      "modules_to_save": ["pooler"]}),
]


def out(model, ids):
    with torch.no_grad():
        result = model(input_ids=ids)
    return (result.logits if hasattr(result, "logits") else result.last_hidden_state)[0].contiguous().clone()


def write_settings(folder, base):
    """Leaves the folder of the base without where it lies on this computer."""
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"golden/{base}"
    for field in ("target_modules", "modules_to_save"):
        if isinstance(config[field], list):
            config[field].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_classifier(place, name, base, settings):
    """One adapter of a classifier."""
    torch.manual_seed(100 + place)
    is_vision = base.endswith("vit")
    kind = AutoModelForImageClassification if is_vision else AutoModelForSequenceClassification
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    on_body = not base.startswith("classifiers/")
    if on_body:
        options |= {"num_labels": 2, "pad_token_id": 1}
    model = kind.from_pretrained(HERE / base, **options).eval()
    known = {} if on_body else load_file(HERE / base / "reference.safetensors")
    if is_vision:
        expected = {"pixels": known["pixels"]}
        inputs = [{"pixel_values": picture[None]} for picture in known["pixels"]]
    else:
        rows = [known[f"ids.{row}"] for row in range(3)] if known else [torch.tensor(IDS), torch.tensor(IDS[:4]), torch.tensor([9, 5])]
        expected = {f"ids.{row}": ids.to(torch.int32) for row, ids in enumerate(rows)}
        inputs = [{"input_ids": ids[None].long()} for ids in rows]

    def scores():
        return torch.cat([model(**given).logits for given in inputs])

    # A new head is drawn, and so is what only the adapter holds: there is no base to compare with.
    if not on_body:
        expected["base"] = scores().detach()
    model = get_peft_model(model, LoraConfig(**settings)).eval()
    for parameter, values in model.named_parameters():
        if "lora_" in parameter or "modules_to_save" in parameter:
            torch.nn.init.normal_(values, std=0.2)
    answers = scores()
    classes = torch.tensor([1, 0, 1] if on_body else [2, 1, 0])
    loss = torch.nn.functional.cross_entropy(answers, classes)
    loss.backward()
    expected |= {"adapted": answers.detach(), "loss": loss.detach().reshape(1)}
    folder = OUT / name
    model.save_pretrained(folder)
    stored = load_file(folder / "adapter_model.safetensors")
    for parameter, values in model.named_parameters():
        key = parameter.replace(".modules_to_save.default", "").replace(".default", "")
        if values.requires_grad:
            assert key in stored, key
            expected[f"grad.{key}"] = values.grad.contiguous()
    assert {f"grad.{key}" for key in stored} <= set(expected), set(stored)
    model = model.merge_and_unload()
    expected["merged"] = scores().detach()
    save_file(expected, folder / "expected.safetensors")
    write_settings(folder, base)
    merged = (expected["adapted"] - expected["merged"]).abs().max().item()
    print(f"{name}: {expected['adapted'].tolist()}, loss {loss.item():.4f}, merged differs by {merged:.2g}, {len(stored)} tensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    for place, case in enumerate(OF_CLASSES):
        write_classifier(place, *case)
    for place, (name, base, settings) in enumerate(CASES):
        torch.manual_seed(place)
        kind = AutoModelForCausalLM if settings["task_type"] == CAUSAL else AutoModel
        options = {"dtype": torch.float32, "attn_implementation": "eager"}
        model = kind.from_pretrained(HERE / base, **options).eval()
        ids = torch.tensor([IDS])
        expected = {"ids": torch.tensor(IDS, dtype=torch.int32), "base": out(model, ids)}
        model = get_peft_model(model, LoraConfig(**settings)).eval()
        for parameter, values in model.named_parameters():
            if ("lora_" in parameter and name != "llama-identity") or "modules_to_save" in parameter:
                torch.nn.init.normal_(values, std=0.2)
        expected["adapted"] = out(model, ids)
        folder = OUT / name
        model.save_pretrained(folder)
        expected["merged"] = out(model.merge_and_unload(), ids)
        save_file(expected, folder / "expected.safetensors")
        write_settings(folder, base)
        moved = (expected["adapted"] - expected["base"]).abs().max().item()
        merged = (expected["adapted"] - expected["merged"]).abs().max().item()
        print(f"{name}: moved by {moved:.3g}, merged differs by {merged:.2g}")


if __name__ == "__main__":
    main()
