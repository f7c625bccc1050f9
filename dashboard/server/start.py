"""How the server starts: never open to others by accident, and with a word on what they can do where it is open."""

import threading

import streamlit as st
from streamlit import config

from dashboard.reach import LOOPBACK_NAMES, VISITORS_MAY, is_demo, is_loopback, is_meant, others_can_reach
from deit_core.errors import SpecError

_guarded = threading.Event()


def note_guarded() -> None:
    """Say that the server of this process has the guard around it (dashboard/app.py)."""
    _guarded.set()


def refuse_without_guard() -> None:
    """Raises: SpecError where a page is drawn by a server that answers to every name, and to every other site."""
    if not _guarded.is_set():
        raise SpecError(
            "The dashboard was started without its protection against other sites. End it, and start it with "
            "streamlit run dashboard/app.py."
        )


def refuse_to_be_open_by_accident() -> None:
    """Raises: SpecError where the server listens to other machines and DEIT_OPEN does not say that this is meant."""
    address = st.get_option("server.address")
    if is_loopback(address) or is_meant():
        return
    where = f"at {address}" if address else "at every address of this machine, because no --server.address is given"
    raise SpecError(
        f"The dashboard would listen {where}: everybody in the network could start, stop and delete runs. "
        "Add --server.address 127.0.0.1 to use it on this machine alone, or set DEIT_OPEN=1 if others are meant to "
        "use it."
    )


def answer_to_loopback_names() -> None:
    """Let Streamlit's websocket answer to them as all else does, where the operator has listed other names only."""
    if names := st.get_option("server.allowedHosts"):
        config.set_option("server.allowedHosts", [*names, *LOOPBACK_NAMES])


def hide_details_from_visitors() -> None:
    """Let a bug show as a line without code and paths, where others can reach the server."""
    if others_can_reach():
        config.set_option("client.showErrorDetails", "none")


def visitors_note() -> str:
    """What others can do on this server, for its terminal; empty where they cannot reach it."""
    if not others_can_reach():
        return ""
    if is_demo():
        return "Others can use this dashboard. It is a demo: they see every run, and can change nothing.\n"
    lines = ["Others can use this dashboard, without a login. Everybody who reaches it can", *VISITORS_MAY.values()]
    return "\n  - ".join(lines) + "\nand sees every run. Use a network that you trust.\n"
