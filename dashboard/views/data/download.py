"""Downloads of data sets, each in a separate process. The page checks on it and never waits for it."""

import subprocess
import sys
from pathlib import Path

import streamlit as st

from dashboard.reach import may
from dashboard.state import settings
from dashboard.text import escape
from deit_core.catalog import SOURCES, SourceName


def offer_download(name: SourceName) -> None:
    """A button that downloads a data set in a separate process; the page checks on it every second."""
    title, download = SOURCES[name].title, _downloads().get(name)
    if download is not None and download.poll() is None:
        st.fragment(_wait_for, run_every=1.0)(name, download)
        return
    st.info(f"{title} is not on this machine yet.")
    if download is not None and download.returncode:
        st.error(escape(_failure(name)))
    if may("add data") and st.button(f"Fetch {title}", type="primary", icon=":material/download:"):
        _downloads()[name] = _start_download(name)
        st.rerun()


def _wait_for(name: SourceName, download: subprocess.Popen[bytes]) -> None:
    if download.poll() is not None:
        st.rerun()
    st.info(f"Downloading {SOURCES[name].title}… You can leave this page; the download continues.")


def _start_download(name: SourceName) -> subprocess.Popen[bytes]:
    log = _download_log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deit_core", "data", name, "--data-dir", str(settings().data_dir)]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def _failure(name: SourceName) -> str:
    """The last message of the download."""
    log = _download_log(name)
    lines = log.read_text(errors="replace").splitlines()
    sentences = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return sentences[-1] if sentences else f"{SOURCES[name].title} could not be downloaded; {log} says why."


def _download_log(name: SourceName) -> Path:
    return settings().data_dir / f"{name}.log"


@st.cache_resource(show_spinner=False)
def _downloads() -> dict[SourceName, subprocess.Popen[bytes]]:
    """The newest download of each data set, for all visitors."""
    return {}
