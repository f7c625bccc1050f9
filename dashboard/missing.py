"""What a page says where the whole store is not there any more."""

import streamlit as st

from dashboard.state import store
from dashboard.text import escape


def warn_moved() -> None:
    """Say that the store is not there, or is another than this visitor has seen."""
    is_there, path = store().is_there, escape(str(store().path))
    first_opening = st.session_state.setdefault("store_seen", store().num_openings)
    if not is_there:
        st.error(
            f"{path} is gone: it was moved or removed, and the runs went with it, most likely with their folders. Put "
            "it back, and they are here again; what you start before that begins a new store there."
        )
    elif store().num_openings != first_opening:
        st.warning(
            f"{path} is another file than before: the old one was moved or removed, and what was in it alone is gone "
            "from here. Reload the page to go on with what is here."
        )
