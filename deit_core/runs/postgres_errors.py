"""What a PostgreSQL server, or the way to it, refuses: as one sentence that says what to do.

Knows the server's codes (PostgreSQL manual, appendix A); nothing of what was asked of it.
"""

from sqlalchemy.exc import DBAPIError, OperationalError

from deit_core.errors import DamagedStoreError, FullStoreError, ReadOnlyStoreError, StoreError
from deit_core.plain_text import harmless
from deit_core.text.quoting import shortened

_NO_ROOM = "too many clients", "too many connections", "connection slots"
_CHECK = "check DEIT_STORE, which reads postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE"


def server_error(error: DBAPIError, name: str) -> StoreError | None:
    """The error for the user; None where it is a bug.

    Args: name: what messages call the store.
    """
    code = getattr(error.orig, "sqlstate", None) or ""
    match code[:2], code:
        case "53", "53100":
            return FullStoreError(f"The disk of the store {name} is full; make room on its server, then try again.")
        case "53", _:
            return _no_room(name)
        case _, "25006" | "42501":
            return ReadOnlyStoreError(
                f"The store {name} cannot be written by the user in DEIT_STORE; give that user the right to, on the "
                "server."
            )
        case _, "42P01" | "42703":
            return DamagedStoreError(
                f"The store {name} lacks a table or a column of its version; restore it on its server from a copy."
            )
    if isinstance(error, OperationalError):  # without a code: no connection, or one that broke
        _, _, refused = str(error.orig).partition("FATAL:")
        if any(words in refused for words in _NO_ROOM):  # which has a code, but the driver does not give it
            return _no_room(name)
        if refused:  # say, that the password is wrong; the server never quotes it
            why = shortened(harmless(refused.strip().splitlines()[0]))
            return StoreError(f"The server of the store {name} refuses: {why}; {_CHECK}.")
        return StoreError(f"The server of the store {name} does not answer; see whether it runs, and {_CHECK}.")
    return None


def _no_room(name: str) -> StoreError:
    return StoreError(
        f"The server of the store {name} has no room for another connection; try again later, or raise max_connections "
        "on the server."
    )
