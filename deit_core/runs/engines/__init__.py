"""An engine starts workers where there is room for them: processes of this machine, or tasks of a cluster.

It knows how many runs are ready, from the queue, and nothing of what a run computes. Which worker gets which run is
decided in the queue, so no engine can give a run to two workers.
"""

from abc import ABC, abstractmethod

MAX_FAILED_STARTS = 3  # in sequence; an engine then waits until somebody tries again


class Engine(ABC):
    """Starts workers. Its caller lets one thread in at a time."""

    @abstractmethod
    def ensure_workers(self) -> None:
        """Start as many workers as the queue needs and the engine has room for. Cheap: it is called at every poll."""

    @property
    @abstractmethod
    def trouble(self) -> str:
        """A message if workers cannot work, else empty."""

    @abstractmethod
    def try_again(self) -> None:
        """What kept workers from starting may be gone."""

    @property
    def ended(self) -> frozenset[str]:
        """Ids of the workers that the engine has seen to break off, for `queue.reap`."""
        return frozenset()

    def warm(self) -> None:  # noqa: B027  an engine need not
        """Make the start of the next run quicker, if that is possible."""
