"""What a store asks of the database that holds it, of whichever kind.

Knows nothing of what is in the tables.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import ColumnElement, Connection, create_engine

from deit_core.runs import schema


class Listener:
    """Hears when something is written. For one thread at a time."""

    def has_news(self) -> bool:
        """Whether something may have been written since the last call. Does not ask the database.

        Always True where the database sends no messages, or cannot be reached: then the caller must ask it.
        """
        return True

    def close(self) -> None:
        pass


class Database(ABC):
    """Transactions. Safe to share between threads.

    `url` is how another process opens it, and may hold a password; `name` is what messages call it, and never does.
    `num_openings` changes when another database takes the place of the one before. `clock` is the time in seconds since
    the epoch by the database's own clock, for what several machines share; None where each process has its own.

    Raises, also in each transaction: StoreError where the database cannot be read or written.
    """

    url: str
    name: str
    num_openings: int
    clock: ColumnElement[float] | None = None

    @property
    @abstractmethod
    def is_there(self) -> bool:
        """Whether there is still a database at the address."""

    @abstractmethod
    def writing(
        self, *, anew: bool = False, alone: bool = True, is_news: bool = True
    ) -> AbstractContextManager[Connection]:
        """One transaction that writes.

        Args:
            anew: create a new database if there is none any more.
            alone: no other decision is made meanwhile, so what it reads stays true. Without it only rows that it
                selects `with_for_update` do, and others may write next to it where the database can do that.
            is_news: those who listen hear of it, where the database can tell them.
        Raises: RunError if there is none and not `anew`.
        """

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what was last written, without waiting for writers. Nothing can be read if the database is gone."""
        with self._reading() if self.is_there else _nothing() as connection:
            yield connection

    def listen(self) -> Listener:
        """Hear of what all processes write from now on."""
        return Listener()

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def damage(self) -> str:
        """What is wrong with the database itself, by its own check; empty where nothing is."""

    @abstractmethod
    def size_bytes(self) -> int:
        """How much disk space it takes."""

    @abstractmethod
    def gone(self) -> str:
        """The message for a database that does not exist any more."""

    @abstractmethod
    def close(self) -> None: ...


@contextmanager
def _nothing() -> Iterator[Connection]:
    """An empty store."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.metadata.create_all(connection)
        yield connection
    engine.dispose()
