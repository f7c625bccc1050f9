"""The names that the server answers to: a foreign name that leads here does not reach it (DNS rebinding)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import streamlit as st
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from dashboard.reach import LOOPBACK_NAMES, others_can_reach


def is_allowed_host(host: str) -> bool:
    """Whether the server answers a request with this `Host` header.

    It answers to the loopback names and to those in Streamlit's `server.allowedHosts`. Where the option is empty and
    others can reach the server, it answers to every address in numbers: only a name can be made to lead elsewhere.
    """
    if set("/?#@") & set(host):
        return False
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in LOOPBACK_NAMES:
        return True
    if st.get_option("server.allowedHosts"):
        return is_host_allowed(host)
    return others_can_reach() and _is_number(name)


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
