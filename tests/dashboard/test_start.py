"""The server is not open to others by accident."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard.server.guard import frame_headers
from dashboard.server.start import refuse_to_be_open_by_accident
from deit_core.errors import SpecError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _address(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("DEIT_OPEN", raising=False)
    before = config.get_option("server.address")
    yield
    config.set_option("server.address", before)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "lab.example.org", "", None])
def test_an_address_that_others_reach_is_refused_unless_it_is_meant(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.set_option("server.address", address)
    for value in ("", "0", "yes"):
        monkeypatch.setenv("DEIT_OPEN", value)
        with pytest.raises(SpecError, match=r"would listen at .* set DEIT_OPEN=1"):
            refuse_to_be_open_by_accident()
    monkeypatch.setenv("DEIT_OPEN", "1")
    refuse_to_be_open_by_accident()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_the_loopback_address_is_nobody_elses(address: str) -> None:
    config.set_option("server.address", address)
    refuse_to_be_open_by_accident()


def test_the_settings_lie_beside_the_script() -> None:
    """Streamlit finds them from any folder, and the server listens to this machine alone."""
    beside = ROOT / "dashboard" / ".streamlit"
    if not beside.is_dir():
        pytest.skip("a checkout without links: Streamlit finds them in the folder of the checkout alone")
    assert tomllib.loads((beside / "config.toml").read_text())["server"]["address"] == "127.0.0.1"


def test_a_start_without_an_address_ends_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"), "--server.headless=true"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command += ["--server.address=", "--server.port=0", "--browser.serverAddress=localhost"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2, done.stderr
    assert "Error: The dashboard would listen at every address of this machine" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sites", ["lab.example.org", "https://a.example; script-src *", "https://a.example\r\nX: y"])
def test_sites_that_are_no_addresses_are_refused(sites: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_FRAMED_BY", sites)
    with pytest.raises(SpecError, match="DEIT_FRAMED_BY lists the sites"):
        frame_headers()


def test_the_frame_without_the_guard_draws_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    page = AppTest.from_file(str(ROOT / "dashboard" / "frame.py"), default_timeout=600).run()
    assert not page.exception
    assert [error.value for error in page.error] == [
        "The dashboard was started without its protection against other sites. End it, and start it with "
        "streamlit run dashboard/app.py."
    ]
    assert len(page.main) == 1
    assert not (tmp_path / "runs").exists()
