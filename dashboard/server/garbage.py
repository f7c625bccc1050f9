"""Lets Python find soon what visitors leave behind, without a search through all that the server has loaded.

Sessions that have ended are garbage in circles. Python looks for old garbage in everything at once, and not before a
quarter of all objects have grown old since it last did: next to torch's hundreds of thousands that is much garbage.
So what is loaded is set apart. Knows modules and objects; nothing of pages.
"""

import gc
import sys
import threading

_LOOK_S = 20.0
_MANY = 50  # new modules since the last time, such as torch's


def keep_loaded_apart(end: threading.Event) -> None:
    """Set apart what is loaded, again each time that many modules have come; return once `end` is set."""
    num_apart = 0
    while not end.wait(_LOOK_S):
        num_loaded = len(sys.modules)
        if num_loaded >= num_apart + _MANY:
            num_apart = num_loaded
            set_apart()


def set_apart() -> None:
    """Leave all objects that there are now out of the search for garbage, except for garbage."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # Python counts anew what a quarter is
