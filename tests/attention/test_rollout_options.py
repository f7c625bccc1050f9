"""A spec of a rollout counts from 1; the functions count from 0, and have the same defaults."""

import inspect
from typing import get_args

import pytest
import torch

from deit_core.attention import METHODS, rollout
from deit_core.attention.flow.options import RolloutOptions, Sizes, following, fusing, patch_token
from deit_core.catalog import MethodName
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

SIZES = Sizes(depth=3, num_heads=2, num_prefix_tokens=1, grid_size=(2, 3))
LATER = {"query"}  # of the spec, which names tokens, one map is of one


def test_function_and_spec_have_the_same_defaults() -> None:
    signature = inspect.signature(rollout).parameters
    options = {name: field.default for name, field in RolloutOptions.__dataclass_fields__.items()}
    assert {name: signature[name].default for name in options} == options
    fields = RolloutSpec.model_fields
    assert {name: fields[name].default for name in options.keys() - LATER} == {
        name: value for name, value in options.items() if name not in LATER
    }
    assert (fusing(RolloutSpec(), SIZES) | following(RolloutSpec(), SIZES)).keys() == options.keys() - LATER


def test_the_spec_knows_every_method() -> None:
    assert list(get_args(MethodName)) == list(METHODS)


def test_layers_heads_and_patches_count_from_one() -> None:
    spec = RolloutSpec(layers=(1, 3), head_fusion=2, query="patch", row=2, column=1)
    assert fusing(spec, SIZES)["head_fusion"] == 1
    assert following(spec, SIZES)["layers"] == (0, 2)
    assert patch_token(spec, SIZES) == 1 + 3
    torch.manual_seed(0)
    attention = torch.rand(3, 1, 2, 7, 7).softmax(-1)
    shape = {"num_prefix_tokens": 1, "grid_size": (2, 3)}
    asked = rollout(attention, **shape, **fusing(spec, SIZES), **following(spec, SIZES), query=patch_token(spec, SIZES))
    assert torch.equal(asked.map, rollout(attention, **shape, layers=[0, 2], head_fusion=1, query=4).map)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"head_fusion": 3}, "There is no head 3; choose one from 1 to 2"),
        ({"layers": (4,)}, "3 layers 1 to 3"),
        ({"layers": (2, 2)}, "each once"),
        ({"layers": ()}, "some of the 3 layers"),
        ({"query": "patch", "row": 3, "column": 1}, "no patch in row 3, column 1; the model has 2 rows and 3 columns"),
    ],
    ids=str,
)
def test_what_a_model_lacks_is_refused_in_numbers_from_one(changes: dict[str, object], says: str) -> None:
    spec = RolloutSpec.model_validate(changes)
    with pytest.raises(DeitError, match=says):
        fusing(spec, SIZES), following(spec, SIZES), patch_token(spec, SIZES)
