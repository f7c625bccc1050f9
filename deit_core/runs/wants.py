"""What a run wants of a worker, and which runs a worker takes: conditions on the columns of both. Decides nothing."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Row, and_, true

from deit_core.runs import schema
from deit_core.spec import ComputeSpec

ANY_ENGINE = "any"
_runs = schema.runs


class Wants(NamedTuple):
    """What a run wants, as its `compute` says; also columns of its row."""

    engine: str
    device: str
    num_devices: int
    num_nodes: int

    @classmethod
    def of(cls, compute: ComputeSpec) -> Self:
        return cls(compute.engine, compute.device, compute.devices, compute.nodes)

    def is_of_run(self) -> ColumnElement[bool]:
        """The runs that want this."""
        return and_(*(column == value for column, value in zip(COLUMNS, self, strict=True)))


COLUMNS = [_runs.c[name] for name in Wants._fields]


class Takes(NamedTuple):
    """Which runs a worker takes by itself, apart from those that are reserved for it.

    engine: who started it; None for runs of all engines. devices: the values of compute.device; None for all.
    num_devices: how many it has for a run; None for as many as a run asks for. num_nodes: on how many machines.
    """

    engine: str | None = None
    devices: Sequence[str] | None = None
    num_devices: int | None = None
    num_nodes: int = 1

    @classmethod
    def of_worker(cls, row: Row[Any]) -> Self:
        devices = None if row.devices is None else row.devices.split(",")
        return cls(row.engine, devices, row.num_devices, row.num_nodes)

    @property
    def engines(self) -> tuple[str, ...]:
        """The values of compute.engine whose runs it takes, unless it takes all."""
        return () if self.engine is None else (ANY_ENGINE, self.engine)

    def columns(self) -> dict[str, Any]:
        """As `of_worker` reads them."""
        return {**self._asdict(), "devices": None if self.devices is None else ",".join(self.devices)}

    def fits(self) -> ColumnElement[bool]:
        """The runs that it takes."""
        conditions = [_runs.c.num_nodes == self.num_nodes]
        if self.engine is not None:
            conditions.append(_runs.c.engine.in_(self.engines))
        if self.devices is not None:
            conditions.append(_runs.c.device.in_(self.devices))
        if self.num_devices is not None:
            conditions.append(_runs.c.num_devices == self.num_devices)
        return and_(true(), *conditions)


ALL = Takes()
