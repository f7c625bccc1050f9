"""The frame of the dashboard: navigation and the look of tables. The server of app.py runs it for every visitor."""

from importlib import import_module

import streamlit as st

from dashboard.address import LESSON
from dashboard.components.live_chart import ensure_plotly_js
from dashboard.components.table_style import TABLE_STYLE
from dashboard.error_messages import errors_as_messages
from dashboard.navigation import pages
from dashboard.server.start import refuse_without_guard
from deit_core.errors import SpecError

# An emoji: for a file Streamlit imports PIL before the first paint, and a material icon comes from
# another company's server.
ICON = "🔬"

st.set_page_config(page_icon=ICON, layout="wide")  # before the navigation, which would set the page's own
try:
    refuse_without_guard()
except SpecError as error:
    st.error(str(error))
    st.stop()
with errors_as_messages():
    ensure_plotly_js()
chosen = st.navigation(pages(), position="top")
st.set_page_config(page_title=f"{chosen.title} · DeiT Lab")
st.html(TABLE_STYLE)
if LESSON in st.query_params:  # a lesson goes along to other pages
    import_module("dashboard.lessons.panel").draw(chosen.url_path)
chosen.run()
