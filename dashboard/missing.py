"""What a page says of runs that it should show and that are not there: by their address, or with the whole store."""

from collections.abc import Iterable

import streamlit as st

from dashboard.run_status import label
from dashboard.state import store
from dashboard.text import escape
from deit_core.runs import Run


def tell_missing(key: str, runs: Iterable[Run]) -> None:
    """Say which of the runs that the address chooses by `key` are not among `runs`."""
    missing = [name for name in st.query_params.get_all(key) if name not in set(map(label, runs))]
    if missing:
        names = ", ".join(missing)
        st.info(f"{escape(names)} {'is' if len(missing) == 1 else 'are'} not here: deleted since, or of another store.")


def tell_moved() -> None:
    """Say that the store is not there, or is another than this visitor has seen."""
    is_there, path = store().is_there, escape(str(store().path))
    seen = st.session_state.setdefault("store_seen", store().num_openings)
    if not is_there:
        st.error(
            f"{path} is gone: it was moved or removed, and the runs went with it, most likely with their folders. Put "
            "it back, and they are here again; what you start before that begins a new store there."
        )
    elif store().num_openings != seen:
        st.warning(
            f"{path} is another file than before: the old one was moved or removed, and what was in it alone is gone "
            "from here. Reload the page to go on with what is here."
        )
