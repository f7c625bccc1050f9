"""What is published of a file of weights and does not stand in it: attention heads, and how pixels were normalised.

Knows timm's and Hugging Face's `config.json` and `preprocessor_config.json`, as they lie beside a file; no tensors.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        return cls(heads if isinstance(heads, int) and heads > 0 else None, _numbers(mean), _numbers(std))


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        return ()
    return tuple(map(float, values))
