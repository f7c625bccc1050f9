"""Whether this server is its owner's alone, or others can reach it too."""

import os
from ipaddress import ip_address

import streamlit as st

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def others_can_reach() -> bool:
    """Whether anybody but the owner of this machine may have this page open.

    So it is where the server listens on more than the loopback address, where it answers to other names
    (`server.allowedHosts`, for a proxy), and where DEIT_OPEN says that it is open.
    """
    names = {name.strip().lower() for name in st.get_option("server.allowedHosts")}
    return is_meant() or not is_loopback(st.get_option("server.address")) or not names <= set(LOOPBACK_NAMES)


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
