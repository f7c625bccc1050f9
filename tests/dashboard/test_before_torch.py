"""A page is drawn before torch is loaded, which takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from pkgutil import resolve_name, walk_packages
from dashboard import views
from streamlit.testing.v1 import AppTest

for page in walk_packages(views.__path__, "dashboard.views."):
    resolve_name(page.name)
assert "dashboard.views.runs.page" in sys.modules
assert not {"torch", "pandas"} & sys.modules.keys()
for name in ("attention", "predict"):
    page = AppTest.from_string(f'''
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show("{name}")
''')
    assert page.run(timeout=600).info, page.exception
    assert "torch" not in sys.modules, name
"""


def test_pages_load_neither_torch_nor_pandas_before_a_model_is_shown(tmp_path: Path) -> None:
    environment = os.environ | {"DEIT_RUNS_DIR": str(tmp_path), "HOME": str(tmp_path), "DEIT_DEMO_RUNS": "0"}
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, env=environment, timeout=600)
