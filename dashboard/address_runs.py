"""The runs that an address names by their ids. Numbers are for people: every store has a run with number 1."""

from collections.abc import Sequence

from dashboard import address
from dashboard.run_status import label
from dashboard.text import escape
from deit_core.runs import Run
from deit_core.text.quoting import shortened

_NAMED = 5
_GONE = "deleted, or in another store"


def take_runs(key: str, runs: Sequence[Run], gone: str = _GONE) -> list[str] | None:
    """The ids among `runs` that the address asks for under `key`; None where it asks for nothing, or was taken already.

    A message names the ids that are not there, and the likely reason (`gone`). Old addresses have numbers and names:
    they still lead to the run of this store, and a message says so.
    """
    names = address.take(key)
    if names is None:
        return None
    ids = {run.id: run.id for run in runs} | {label(run): run.id for run in runs}
    names = [name for name in dict.fromkeys(names) if name]  # an empty one means no run
    numbered = [name for name in names if name in ids and ids[name] != name]
    missing = [name for name in names if name not in ids]
    if missing:
        run, are = ("Run", "is") if len(missing) == 1 else ("Runs", "are")
        address.note(key, f"{run} {escape(_few(missing))} {are} not here: {gone}.")
    elif numbered:
        address.note(
            key,
            f"The address named {escape(_few(numbered))} by number, which is another run in another store. "
            "It now names runs by their ids: share this new address.",
        )
    return list(dict.fromkeys(ids[name] for name in names if name in ids))


def _few(names: Sequence[str]) -> str:
    """Some of the names, for a message: an address may have thousands."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(shortened(name) for name in names[:_NAMED]) + more


def write_runs(key: str, ids: Sequence[str]) -> None:
    """Write these runs into the address, or that there are none."""
    address.write(key, ids or [""])
