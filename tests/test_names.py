"""The page of names keeps its word: every name of ours on it exists, and every tutorial's name is on it."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from deit_core import presets
from deit_core.presets import digits_quick
from deit_core.spec import RunSpec, TorchvisionSpec, replace

PAGE = (Path(__file__).parents[1] / "docs" / "names.md").read_text()


def found(dotted: str) -> Any:
    """What a dotted name means: a module, or something in one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            thing = getattr(thing, name)
        return thing
    raise AssertionError(dotted)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(deit_core\.[\w.]+)`", PAGE))))
def test_every_name_of_ours_exists(name: str) -> None:
    assert found(name) is not None


def test_every_field_on_the_page_exists() -> None:
    deit = digits_quick().runs[2]
    resnet = RunSpec.model_validate(digits_quick().runs[0].model_dump() | {"model": TorchvisionSpec().model_dump()})
    for path in re.findall(r"`((?:optim|model|compute|distillation)\.\w+)(?:=[\w]+)?`", PAGE):
        part, field = path.split(".")
        assert any(hasattr(getattr(run, part), field) for run in (deit, resnet)), path
    changes = dict(re.findall(r"`(model\.\w+)=(\w+)`", PAGE))
    changes = {path: value if value != "true" else True for path, value in changes.items() if path != "model.family"}
    assert replace(resnet, changes | {"model.input_size": 224}).model.name == "resnet50"  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["EmbedLayer", "SelfAttention", "Encoder", "Classifier", "MyDeiT", "x_attention"])
def test_the_tutorials_names_are_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_preset_on_the_page_exists() -> None:
    assert "fashion-miniproject" in PAGE
    assert "fashion-miniproject" in presets.names()
