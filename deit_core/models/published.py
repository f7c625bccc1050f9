"""What is published of a file of weights and does not stand in it: attention heads, and how pixels were normalised.

Knows timm's and Hugging Face's `config.json` and `preprocessor_config.json`, as they lie beside a file; no tensors.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of pixels in [0, 1]: what models of ImageNet were trained with unless something says otherwise.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")  # a config beside another file may be another model's


@dataclass(frozen=True)
class Published:
    """None and empty where nothing says it. `mean` and `std` are per channel, of pixels in [0, 1]."""

    num_heads: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def beside(cls, file: Path) -> "Published":
        """What stands beside `file`; a config that cannot be read says nothing."""
        if file.name not in _HUB_NAMES:
            return cls()
        config, pixels = _read(file.with_name("config.json")), _read(file.with_name("preprocessor_config.json"))
        heads = config.get("num_attention_heads", _part(config, "model_args").get("num_heads"))
        timms = _part(config, "pretrained_cfg")
        mean, std = pixels.get("image_mean", timms.get("mean")), pixels.get("image_std", timms.get("std"))
        known = _are_numbers(mean) and _are_numbers(std) and len(mean) == len(std)
        return cls(
            num_heads=heads if isinstance(heads, int) and heads > 0 else None,
            mean=tuple(map(float, mean)) if known else (),
            std=tuple(map(float, std)) if known else (),
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, int | float) for value in values)
