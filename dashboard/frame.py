"""The frame of the dashboard: navigation and nothing else. Streamlit runs it for every visitor (see app.py)."""

import streamlit as st

from dashboard.components.live_chart import ensure_plotly_js
from dashboard.error_messages import errors_as_messages
from dashboard.navigation import pages

# An emoji: for a file Streamlit imports PIL before the first paint, and a material icon comes from
# another company's server.
ICON = "🔬"

with errors_as_messages():
    ensure_plotly_js()
st.set_page_config(page_icon=ICON, layout="wide")  # before the navigation, which would set the page's own
chosen = st.navigation(pages(), position="top")
st.set_page_config(page_title=f"{chosen.title} · DeiT Lab")
chosen.run()
