"""The upload of a zip in a real browser: by keyboard and by drop, with its progress, cancelled and to the end."""

import base64
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import write_images, zip_of
from playwright.sync_api import FileChooser, Locator, Page, TimeoutError, expect

ROOT = Path(__file__).resolve().parents[2]
BYTES_PER_S = 1_000_000
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": BYTES_PER_S}
DROP = """([text, name]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
  return dropped;
}"""

pytestmark = pytest.mark.browser


def choose_file(page: Page, field: Locator) -> FileChooser:
    """Press Enter in the field, once more where a page that was still being drawn has replaced it."""
    for _ in range(5):
        with contextlib.suppress(TimeoutError):
            with page.expect_file_chooser(timeout=10_000) as chooser:
                field.press("Enter")
            return chooser.value
    raise AssertionError("Enter never opened the choice of a file.")


def test_a_zip_is_chosen_cancelled_dropped_and_unpacked(
    page: Page, serve_app: Callable[..., str], page_errors: list[str], wait_until: Callable[..., None], tmp_path: Path
) -> None:
    write_images(tmp_path / "animals", 5)
    small = zip_of(tmp_path / "animals", tmp_path / "animals.zip")
    large = zip_of(tmp_path / "animals", tmp_path / "large.zip", padding=20 * BYTES_PER_S)
    data_dir = tmp_path / "data"
    env = {"DEIT_RUNS_DIR": str(tmp_path / "runs"), "DEIT_DATA_DIR": str(data_dir)}
    page.goto(f"{serve_app(ROOT / 'dashboard' / 'app.py', env=env)}/data?data=Folder+of+images")
    field = page.get_by_label("Zip of images")
    progress = page.get_by_role("progressbar", name="Share that is uploaded")
    cancel = page.get_by_role("button", name="Cancel")
    expect(field).to_be_visible()
    expect(progress).to_be_hidden()
    expect(cancel).to_be_hidden()

    network = page.context.new_cdp_session(page)
    network.send("Network.emulateNetworkConditions", SLOW)
    choose_file(page, field).set_files(large)
    expect(page.get_by_text("Uploading large.zip")).to_be_visible()
    wait_until(lambda: 0 < progress.evaluate("bar => bar.value") < 1)
    page.keyboard.press("Tab")
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("large.zip was not uploaded.")).to_be_visible()
    expect(progress).to_be_hidden()
    assert list(data_dir.iterdir()) == []

    network.send("Network.emulateNetworkConditions", SLOW | {"uploadThroughput": -1})
    dropped = page.evaluate_handle(DROP, [base64.b64encode(small.read_bytes()).decode(), "animals.zip"])
    field.dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_text("animals.zip has arrived.")).to_be_visible()
    page.get_by_role("button", name="Unpack").click()
    expect(page.get_by_text("Unpacked. To train on it")).to_be_visible()
    assert (data_dir / "folders" / "animals" / "bee" / "000.jpg").exists()
    assert page_errors == []
