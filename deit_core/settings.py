"""Where things are on this machine, from the environment: read once, at the edge, and passed in from there."""

import os
from dataclasses import dataclass
from pathlib import Path

from deit_core.errors import SpecError


@dataclass(frozen=True)
class Settings:
    """`store_url` is a database URL; `num_workers` is how many runs train at once on this machine."""

    store_url: str
    runs_dir: Path
    data_dir: Path
    num_workers: int

    @classmethod
    def from_env(cls, *, runs_dir: Path | None = None, data_dir: Path | None = None) -> "Settings":
        """Settings from DEIT_STORE, DEIT_RUNS_DIR, DEIT_DATA_DIR and DEIT_WORKERS; arguments go before them.

        The store is a SQLite file in the folder of the runs unless DEIT_STORE says otherwise.
        """
        runs = (runs_dir or Path(os.environ.get("DEIT_RUNS_DIR") or "checkpoints")).resolve()
        workers = os.environ.get("DEIT_WORKERS") or "1"
        if not workers.isdecimal() or int(workers) < 1:
            raise SpecError(
                f"DEIT_WORKERS is the number of runs that train at once, not {workers!r}; set it to 1 or more."
            )
        return cls(
            store_url=os.environ.get("DEIT_STORE") or f"sqlite:///{runs / 'runs.sqlite'}",
            runs_dir=runs,
            data_dir=(data_dir or Path(os.environ.get("DEIT_DATA_DIR") or "data")).resolve(),
            num_workers=int(workers),
        )
