"""Who can reach this server, what they may do, and what of its machine they may read.

Pages ask here before they do something for a visitor; state.py adds which files they may read.
"""

import os
from ipaddress import ip_address
from typing import Literal

import streamlit as st

from deit_core.settings import Settings, url_without_user
from deit_core.spec import text_without_places

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

Action = Literal["start", "stop", "resume", "delete", "add data"]

# Everybody who can reach the server may do all of it; the terminal of an open server shows these words.
VISITORS_MAY: dict[Action, str] = {
    "start": "start runs, which use the processors, the memory and the disk of this machine",
    "stop": "stop every run",
    "resume": "resume every run",
    "delete": "delete every run with its checkpoints",
    "add data": "upload pictures and data sets, and let known data sets be downloaded",
}

DEMO = "This is a demo of finished runs: nothing is trained, uploaded or deleted here."


def may(action: Action) -> bool:
    """Whether the visitor of this page may do it: all of it, and in a demo nothing."""
    return action in VISITORS_MAY and not is_demo()


def is_demo() -> bool:
    """Whether the operator says with DEIT_DEMO=1 that this server only shows what is there."""
    return os.environ.get("DEIT_DEMO") == "1"


def others_can_reach() -> bool:
    """Whether anybody but the owner of this machine may have this page open.

    So it is where the server listens on more than the loopback address, where it answers to other names
    (`server.allowedHosts`, for a proxy), and where DEIT_OPEN says that it is open.
    """
    names = {name.strip().lower() for name in st.get_option("server.allowedHosts")}
    return is_meant() or not is_loopback(st.get_option("server.address")) or not names <= set(LOOPBACK_NAMES)


def shown(text: str) -> str:
    """A text as the visitor of this page may read it: where others can reach the server, names in place of paths.

    Of what is in the data or runs folder, visitors read the path from there on.
    """
    if not others_can_reach():
        return text
    settings = Settings.from_env()
    if settings.artifacts_url:
        text = text.replace(url_without_user(settings.artifacts_url), "the shared storage")
    return text_without_places(text, (settings.data_dir, settings.runs_dir))


def is_meant() -> bool:
    """Whether the operator says with DEIT_OPEN=1 that others may use this server."""
    return os.environ.get("DEIT_OPEN") == "1"


def is_loopback(address: str | None) -> bool:
    """Whether a server at this address is reached from its own machine alone; at None Streamlit listens everywhere."""
    if address == "localhost":
        return True
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
