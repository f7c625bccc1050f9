"""Specs as JSON, and changes of specs as the command line and the address of the Train page write them."""

import json
from typing import Any

from bounds import bounded, fuzz, long_texts, texts, values
from hypothesis import given
from hypothesis import strategies as st

from deit_core import presets
from deit_core.spec import load_spec, members, parse_change, replace

_DOCUMENTS = {name: presets.get(name).model_dump(mode="json") for name in ("smoke", "digits-quick")}
_PATHS = ["optim.lr", "vit.optim.lr", "seeds", "name", "data.path", "deit.distillation.tau", "model.depth", "tags"]


@st.composite
def changed_documents(draw: st.DrawFn) -> dict[str, Any]:
    """The document of a preset with other values in some places, and with fields that do not exist."""
    document = json.loads(json.dumps(draw(st.sampled_from(list(_DOCUMENTS.values())))))
    for _ in range(draw(st.integers(1, 4))):
        node: Any = document
        while True:
            keys = list(range(len(node))) if isinstance(node, list) else sorted(node)
            key = draw(st.sampled_from(keys)) if keys else "new"
            if not isinstance(node, list) and draw(st.integers(0, 9)) == 0:
                key = draw(texts)
            below = node[key] if isinstance(node, list) else node.get(key)
            if not isinstance(below, dict | list) or not below or draw(st.integers(0, 4)) == 0:
                break
            node = below
        if isinstance(node, list | dict):
            node[key] = draw(values)
    return document


@fuzz(40)
@given(document=changed_documents())
def test_a_changed_spec_is_read_or_refused(document: dict[str, Any]) -> None:
    with bounded():
        spec = load_spec(json.dumps(document))
        assert members(spec)
        assert load_spec(spec.model_dump_json()).model_dump_json() == spec.model_dump_json()


@fuzz(40)
@given(text=st.binary(max_size=200) | values.map(json.dumps) | long_texts | st.just("[" * 100_000))
def test_any_text_is_no_spec(text: str | bytes) -> None:
    with bounded():
        load_spec(text)


@fuzz(40)
@given(
    preset=st.sampled_from(["smoke", "digits-quick"]),
    changes=st.lists(
        st.builds(
            "{}={}".format, st.sampled_from(_PATHS) | texts, texts | long_texts | st.just("[" * 1500) | values.map(repr)
        )
        | texts,
        min_size=1,
        max_size=3,
    ),
)
def test_changes_are_taken_or_refused(preset: str, changes: list[str]) -> None:
    with bounded():
        replace(presets.get(preset), dict(map(parse_change, changes)))
