"""The command `deit-lab-dashboard`: the server, from wherever it is installed; and how a Jupyter server starts it."""

import sys
from pathlib import Path
from typing import Any

APP = Path(__file__).parents[1] / "app.py"
_START_S = 120  # until the server answers on a slow machine


def main() -> None:
    """Take the options of `streamlit run`."""
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main()


def for_jupyter() -> dict[str, Any]:
    """The entry of jupyter-server-proxy: the dashboard below the address of a Jupyter server, for its user alone.

    That server has checked who asks, and from which page. So the dashboard sees its own name in place of the hub's,
    which it does not know.
    """
    own = "127.0.0.1:{port}"
    options = ["--server.address", "127.0.0.1", "--server.port", "{port}", "--server.headless", "true"]
    return {
        "command": [sys.executable, "-m", "dashboard.server.command", *options],
        "request_headers_override": {"Host": own, "Origin": f"http://{own}"},
        "timeout": _START_S,
        "launcher_entry": {"title": "DeiT Lab"},
    }


if __name__ == "__main__":
    main()
