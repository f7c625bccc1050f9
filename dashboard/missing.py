"""What a page says of runs that its address names and that are not there."""

from collections.abc import Iterable

import streamlit as st

from dashboard.run_status import label
from dashboard.text import escape
from deit_core.runs import Run


def tell_missing(key: str, runs: Iterable[Run]) -> None:
    """Say which of the runs that the address chooses by `key` are not among `runs`."""
    missing = [name for name in st.query_params.get_all(key) if name not in set(map(label, runs))]
    if missing:
        names = ", ".join(missing)
        st.info(f"{escape(names)} {'is' if len(missing) == 1 else 'are'} not here: deleted since, or of another store.")
