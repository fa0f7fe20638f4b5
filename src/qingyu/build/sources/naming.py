"""What training code puts before the names of tensors, taken off again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qingyu.build.sources.weights import StoredTensor
from qingyu.errors import CheckpointError

# DataParallel, Lightning and plain modules, torch.compile, PEFT, Accelerate's and DeepSpeed's.
WRAPPERS = ("module.", "_orig_mod.", "base_model.", "model.", "_fsdp_wrapped_module.")
ADAPTERS = (".lora_A", ".lora_B", ".lora_embedding_A")
LAYER_OF_ADAPTER = ".base_layer"


def unwrapped(
    pieces: Mapping[str, StoredTensor], path: Path
) -> tuple[dict[str, StoredTensor], str]:
    """The tensors by their names in the model, and what was taken off most of them ("" often).

    Wrappers are taken off name by name, since a trained head may lie beside the wrapped encoder.
    Raises CheckpointError where two names become one, and for adapters that were never merged.
    """
    adapter = next((name for name in pieces if any(part in name for part in ADAPTERS)), None)
    if adapter is not None:
        raise CheckpointError(
            f"{path} 含有未合并的 LoRA 适配器（{adapter}）。请先用 PEFT 的 merge_and_unload() "
            "合并，再保存、构建。",
            f"{path} holds LoRA adapters that were not merged ({adapter}). Merge them with PEFT's "
            "merge_and_unload(), save, and build again.",
        )
    renamed: dict[str, StoredTensor] = {}
    taken: dict[str, int] = {}
    for name, piece in pieces.items():
        plain = name
        while (
            wrapper := next((one for one in WRAPPERS if plain.startswith(one)), None)
        ) is not None:
            plain = plain.removeprefix(wrapper)
        before = name.removesuffix(plain)
        plain = plain.replace(LAYER_OF_ADAPTER, "")
        if plain in renamed:
            raise CheckpointError(
                f"{path} 中有两个张量都叫 {plain}（其一是 {name}），不知道该用哪个。",
                f"{path} has two tensors that are called {plain}, one of them {name}: which is "
                "meant cannot be told.",
            )
        renamed[plain] = piece
        taken[before] = taken.get(before, 0) + 1
    return renamed, max(taken, key=lambda one: taken[one], default="")
