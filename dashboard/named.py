"""The runs that an address names: by their ids, as every store has a run of each number. Numbers are for people."""

from collections.abc import Sequence

from dashboard import address
from dashboard.run_status import label
from dashboard.text import escape
from deit_core.runs import Run

_GONE = "deleted since, or of another store"


def take_named(key: str, runs: Sequence[Run], gone: str = _GONE) -> list[str] | None:
    """The ids among `runs` that the address asks for under `key`; None where it asks for nothing, or was taken already.

    What is not there is said, and why it may be (`gone`). Addresses once had numbers and names: those of a run of this
    store still lead to it, and that is said too.
    """
    names = address.take(key)
    if names is None:
        return None
    ids = {run.id: run.id for run in runs} | {label(run): run.id for run in runs}
    names = [name for name in dict.fromkeys(names) if name]  # an empty one stands for no run
    numbered = [name for name in names if name in ids and ids[name] != name]
    missing = [name for name in names if name not in ids]
    if missing:
        run, are = ("Run", "is") if len(missing) == 1 else ("Runs", "are")
        address.note(key, f"{run} {escape(', '.join(missing))} {are} not here: {gone}.")
    elif numbered:
        address.note(
            key,
            f"The address named {escape(', '.join(numbered))} by number, which in another store is another run. "
            "It names runs by their ids now: send this one.",
        )
    return list(dict.fromkeys(ids[name] for name in names if name in ids))


def tell_named(key: str, ids: Sequence[str]) -> None:
    """Have the address name these runs, or say that there are none."""
    address.write(key, ids or [""])
