"""A spare worker loads torch while a user fills in the form, so that the next run starts at once.

Knows the store and this process; of training only what it imports.
"""

import time
from collections.abc import Callable
from importlib import import_module

import psutil

from deit_core.machine.description import describe_machine
from deit_core.machine.threads import spin_briefly
from deit_core.runs import queue
from deit_core.runs.engines.local import TAKES
from deit_core.runs.store import Store

WAIT_S = 600.0
_POLL_S = 0.25
_PAINT_S = 2.0  # the page with the form is not on the screen yet, and a browser wants both of two cores for that


def stand_by(store: Store, starter: int, is_ending: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Load what a first step needs, and return once a run is ready or there is no reason to wait any longer.

    It waits no longer if the time is over, the worker has to end, the process `starter` has ended, or the store is
    gone.
    """
    began = time.monotonic()
    is_loaded = False
    while not is_ending() and psutil.pid_exists(starter) and store.is_there:
        waited_s = time.monotonic() - began
        if queue.num_ready(store, TAKES, at_most=1) or waited_s > wait_s:
            return
        if not is_loaded and waited_s > _PAINT_S:
            load()
            is_loaded = True
        time.sleep(_POLL_S)


def load() -> None:
    """Import what a first step needs, and describe this machine once."""
    spin_briefly()
    import_module("deit_core.training")
    describe_machine()  # which it keeps
