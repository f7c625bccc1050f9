"""Frees soon what visitors leave behind, without a search through all that the server has loaded.

Sessions that have ended are garbage in circles, and hold their uploads. Python looks for old garbage in all objects, a
third of a second next to torch, and not before a quarter of them have grown old since it last did. So what is loaded is
set apart, and the rest is looked through often. Knows modules and objects; nothing of pages.
"""

import gc
import sys
import threading

_LOOK_S = 20.0
_MANY = 50  # new modules since the last time, such as torch's


def free_garbage(end: threading.Event, interval_s: float = _LOOK_S) -> None:
    """Look for garbage every few seconds; set apart what is loaded each time that much has come. Return once `end` is
    set.
    """
    num_apart = 0
    while not end.wait(interval_s):
        num_loaded = len(sys.modules)
        if num_loaded >= num_apart + _MANY:
            num_apart = num_loaded
            _set_apart()
        gc.collect()


def _set_apart() -> None:
    """Leave all objects that there are now out of the search for garbage, except for garbage."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
