"""How much memory a run needs, from its spec alone, and a message where that is more than there is.

Nothing is built and torch is not loaded, so a run can be refused before anything is taken from the machine.
"""

from deit_core.memory.check import check_free, check_granted, check_model, most_needed
from deit_core.memory.needed import FOLDER_SHARE, Needed, memory_needed
from deit_core.memory.networks import NetworkSize, network_size

__all__ = [
    "FOLDER_SHARE",
    "Needed",
    "NetworkSize",
    "check_free",
    "check_granted",
    "check_model",
    "memory_needed",
    "most_needed",
    "network_size",
]
