"""Files of weights of which some bytes are others, or are missing."""

from pathlib import Path

import pytest
import torch
from bounds import bounded, fuzz, values
from hypothesis import given
from hypothesis import strategies as st

from deit_core import presets
from deit_core.models import ModelCard, build_model, load_checkpoint, load_foreign, read_card, save_weights
from deit_core.spec import replace

# What happens to a file: bytes at a place become others, or it ends there.
damages = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), min_size=1, max_size=3)


def damaged(content: bytes, changes: list[tuple[float, bytes]], *, within: int) -> bytes:
    """Args: within: most changes fall into that many first bytes, the header."""
    for place, new in changes:
        reach = within if place < 0.8 else len(content)
        at = int(place * reach)
        content = content[:at] + new + content[at + len(new) :] if new else content[:at]
    return content


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("own") / "best.safetensors"
    spec = replace(presets.smoke(), {"model.depth": 1, "model.embed_dim": 16, "model.num_heads": 2})
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1
    )
    save_weights(file, build_model(spec, num_classes=10), card)
    return file.read_bytes()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("foreign") / "deit.pt"
    spec = replace(presets.smoke(), {"model.depth": 1, "model.embed_dim": 16, "model.num_heads": 2})
    torch.save({"model": build_model(spec, num_classes=10).state_dict(), "epoch": 3}, file)
    return file.read_bytes()


@fuzz(20)
@given(changes=damages)
def test_a_checkpoint_is_loaded_or_refused(changes: list[tuple[float, bytes]], own: bytes, tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    file.write_bytes(damaged(own, changes, within=int.from_bytes(own[:8], "little") + 8))
    for read in (read_card, load_checkpoint, load_foreign):
        with bounded():
            read(file)


@fuzz(20)
@given(changes=damages)
def test_a_foreign_file_is_loaded_or_refused(
    changes: list[tuple[float, bytes]], foreign: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "deit.pt"
    file.write_bytes(damaged(foreign, changes, within=2000))
    with bounded():
        load_foreign(file)


@fuzz(15)
@given(content=st.dictionaries(st.text(max_size=20), values, max_size=4) | values)
def test_a_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    file = tmp_path / "deit.pt"
    torch.save(content, file)
    with bounded():
        load_foreign(file)
