"""What a page says when the store does not exist any more."""

import streamlit as st

from dashboard.state import store
from dashboard.text import escape


def warn_moved() -> None:
    """Say that the store does not exist, or is another file than at this visitor's first look."""
    is_there, path = store().is_there, escape(store().database.name)
    first_opening = st.session_state.setdefault("store_seen", store().database.num_openings)
    if not is_there:
        st.error(
            f"{path} is gone: it was moved or removed, most likely together with the folders of its runs. Put it back "
            "and reload. If you start something before that, a new store begins at this path."
        )
    elif store().database.num_openings != first_opening:
        st.warning(
            f"{path} is another file than before: the old one was moved or removed, and its runs are gone from here. "
            "Reload the page to go on with the runs of the new file."
        )
