"""The dashboard behind a real nginx, on a path that nginx keeps or removes: pages, live curves and an upload."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from image_files import write_images, zip_of
from playwright.sync_api import Page, WebSocket, expect

from deit_core import presets
from deit_core.runs import NewPoint, Status, Store, enqueue, open_store

ROOT = Path(__file__).resolve().parents[2]
CONF = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def store(runs_dir: Path) -> Iterator[Store]:
    """With one finished run, which has a point."""
    store = open_store(f"sqlite:///{runs_dir / 'runs.sqlite'}")
    (run_id,) = enqueue(store, presets.smoke())
    store.set_status(run_id, Status.RUNNING)
    add_point(store, 1)
    store.set_status(run_id, Status.COMPLETED)
    yield store
    store.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def add_point(store: Store, step: int) -> None:
    (run,) = store.runs()
    store.add_points(run.id, [NewPoint("step", step, 0.1 * step, 1.0, {"train_loss": 1.0, "train_accuracy": 0.5})])


@pytest.fixture(params=["/lab", "/user/x/proxy/PORT"], ids=["the path is kept", "the path is removed"])
def url(
    request: pytest.FixtureRequest,
    serve_app: Callable[..., str],
    wait_until: Callable[..., None],
    store: Store,
    runs_dir: Path,
    tmp_path: Path,
) -> Iterator[str]:
    """The address of a dashboard behind nginx: by deploy/nginx.conf, or as JupyterHub's proxy has it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx on this machine; Debian: apt install nginx-light")
    is_kept = request.param == "/lab"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {"DEIT_RUNS_DIR": str(runs_dir), "DEIT_DATA_DIR": str(tmp_path / "data")}
    inner = serve_app(ROOT / "dashboard" / "app.py", env=env, base_path="/lab" if is_kept else "")
    number = inner.removesuffix("/lab").rpartition(":")[2]
    path = request.param.replace("PORT", number)
    location = (ROOT / "deploy" / "nginx.conf").read_text().replace("127.0.0.1:8501", f"127.0.0.1:{number}")
    if not is_kept:
        location = location.replace("location /lab/", f"location {path}/")
        location = location.replace(f"proxy_pass http://127.0.0.1:{number};", f"proxy_pass http://127.0.0.1:{number}/;")
    folder = tmp_path / "nginx"
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(CONF.format(folder=folder, user=user, port=port, location=location))
    with subprocess.Popen([nginx, "-p", str(folder), "-c", str(conf)]) as process:
        wait_until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}{path}"
        process.terminate()


def test_pages_live_curves_and_an_upload_work(
    page: Page, url: str, store: Store, page_errors: list[str], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda one: sockets.append(one))
    page.goto(f"{url}/learn")
    page.get_by_role("link", name="Runs").first.click()
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(rf"^{re.escape(url)}/runs\b"))
    expect(page.get_by_role("figure", name=re.compile("^Accuracy")).first).to_be_visible()

    live = url.replace("http", "ws", 1) + "/live"
    wait_until(lambda: any(one.url == live and not one.is_closed() for one in sockets))
    add_point(store, 2)
    (run,) = store.runs()
    wait_until(lambda: page.evaluate("run => window.liveFeed.points[run]?.length", run.id))

    write_images(tmp_path / "animals", 5)
    page.goto(f"{url}/data?data=Folder+of+images")
    page.get_by_label("Zip of images").set_input_files(zip_of(tmp_path / "animals", tmp_path / "animals.zip"))
    expect(page.get_by_text("animals.zip has arrived.")).to_be_visible()
    assert page_errors == []
