"""The frame of the dashboard: navigation and nothing else. `streamlit run dashboard/app.py`"""

import streamlit as st

from dashboard.components.live_chart import ensure_plotly_js
from dashboard.navigation import pages

ensure_plotly_js()
st.set_page_config(page_title="DeiT Lab", page_icon=":material/visibility:", layout="wide")
st.navigation(pages(), position="top").run()
