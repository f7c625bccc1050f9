"""The frame of the dashboard: navigation and nothing else. Streamlit runs it for every visitor (see app.py)."""

from pathlib import Path

import streamlit as st

from dashboard.components.live_chart import ensure_plotly_js
from dashboard.navigation import pages

# Our own file: the browser would fetch a material icon from somebody else's server.
ICON = Path(__file__).with_name("icon.png")

ensure_plotly_js()
st.set_page_config(page_icon=str(ICON), layout="wide")  # before the navigation, which would set the page's own
chosen = st.navigation(pages(), position="top")
st.set_page_config(page_title=f"{chosen.title} · DeiT Lab")
chosen.run()
