"""Looks after workers as long as the server runs, also while no page is open: after a restart nobody else would.

A worker that died while the server was down is found, its run becomes interrupted, and what is queued gets a worker.
"""

import threading

from dashboard.error_messages import errors_as_messages
from dashboard.state import launcher

PERIOD_S = 5.0


def look_after_workers(end: threading.Event) -> None:
    """Return once `end` is set. An error that the user can fix is shown by the pages, and the next look is the same."""
    while not end.is_set():
        with errors_as_messages(lambda _: None):
            launcher().ensure_workers()
        end.wait(PERIOD_S)
