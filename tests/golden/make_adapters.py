"""Writes adapters/, what tests/adapters.rs compares with: adapters that PEFT made of the models beside this file, saved by PEFT, and what
transformers computes with them.

Each folder holds adapter_config.json and adapter_model.safetensors as PEFT writes them, and expected.safetensors: ids, the logits of
the base, with the adapter, and of the model that PEFT merges (for an encoder the last hidden states). A and B are random; so is what
stands in the place of whole modules.

    python tests/golden/make_adapters.py        (torch 2.15, transformers 5.23, peft 0.21)
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM

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
    # A whole head beside the change.
    ("gpt-neox-head", "gpt-neox", {"r": 3, "lora_alpha": 3, "target_modules": ["query_key_value", "dense", "dense_4h_to_h"],
                                   "modules_to_save": ["embed_out"], "task_type": CAUSAL}),
    ("gemma2", "gemma2", {"r": 2, "lora_alpha": 4, "target_modules": r"model\.layers\.\d+\.(self_attn\.[qv]_proj|mlp\.gate_proj)",
                          "task_type": CAUSAL}),
    # Embeddings that are the head as well: the change of one is none of the other.
    ("llama-tied-table", "llama-tied", {"r": 2, "lora_alpha": 4, "target_modules": ["embed_tokens", "v_proj"], "task_type": CAUSAL}),
    ("bert", "bert", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["query", "value", "output.dense"]}),
    ("roberta", "roberta", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["key", "intermediate.dense"]}),
    ("distilbert", "distilbert", {"r": 2, "lora_alpha": 4, "task_type": "FEATURE_EXTRACTION", "target_modules": ["q_lin", "lin2"]}),
    # Saved before it learned anything: B is zero.
    ("llama-identity", "llama", {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "task_type": CAUSAL}),
]


def out(model, ids):
    with torch.no_grad():
        result = model(input_ids=ids)
    return (result.logits if hasattr(result, "logits") else result.last_hidden_state)[0].contiguous().clone()


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
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
        (folder / "README.md").unlink(missing_ok=True)
        # The folder of the base is told without where it lies on this computer.
        config = json.loads((folder / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = f"golden/{base}"
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        moved = (expected["adapted"] - expected["base"]).abs().max().item()
        merged = (expected["adapted"] - expected["merged"]).abs().max().item()
        print(f"{name}: moved by {moved:.3g}, merged differs by {merged:.2g}")


if __name__ == "__main__":
    main()
