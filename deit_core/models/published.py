"""What is published of a file of weights and its tensors do not say: attention heads, pixels, and the classes' names.

Knows timm's and Hugging Face's `config.json` and `preprocessor_config.json`, as they lie beside a file, and the note in
an export of ours; no tensors.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deit_core.models.state_dicts import read_note

# By width, as timm, Facebook and Hugging Face have them; a file of weights does not say.
NUM_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")  # a config beside another file may be another model's


@dataclass(frozen=True)
class Published:
    """None and empty where nothing says it.

    `mean` and `std` are per channel, of pixels in [0, 1]; `img_size` is a side in pixels; `classes` are the names of
    the logits in their order, empty for names such as Hugging Face's LABEL_0, which say nothing.
    """

    num_heads: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    img_size: int | None = None
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: Path) -> "Published":
        """What the note in `file` says, else what stands beside it.

        Raises: CheckpointError where the file is damaged.
        """
        note = _parsed(read_note(file))
        if not note:
            return cls.beside(file)
        heads, size = (_count(note.get(name)) for name in ("num_heads", "img_size"))
        return cls(heads, _numbers(note.get("mean")), _numbers(note.get("std")), size, _names(note.get("classes")))

    @classmethod
    def beside(cls, file: Path) -> "Published":
        """What stands beside `file`; a config that cannot be read says nothing."""
        if file.name not in _HUB_NAMES:
            return cls()
        config, pixels = _read(file.with_name("config.json")), _read(file.with_name("preprocessor_config.json"))
        heads = config.get("num_attention_heads", _part(config, "model_args").get("num_heads"))
        timms = _part(config, "pretrained_cfg")
        mean, std = pixels.get("image_mean", timms.get("mean")), pixels.get("image_std", timms.get("std"))
        names = config.get("id2label") or config.get("label_names") or timms.get("label_names")
        return cls(_count(heads), _numbers(mean), _numbers(std), classes=_names(names))


def _read(file: Path) -> dict[str, Any]:
    try:
        return _parsed(file.read_bytes())
    except OSError:
        return {}


def _parsed(content: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        return ()
    return tuple(map(float, values))


def _names(values: Any) -> tuple[str, ...]:
    """Class names, from a list or from numbers to names; none where a number is left out or a name means nothing."""
    if isinstance(values, dict):
        values = [values.get(str(index)) for index in range(len(values))]
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        return ()
    return () if any(re.fullmatch(r"LABEL_\d+", name) for name in values) else tuple(values)
