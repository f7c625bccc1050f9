"""Visitors of a server that others can reach see the data and runs folders, and not what else is on the machine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import write_images
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core import presets
from deit_core.errors import DataError
from deit_core.runs import Store
from deit_core.spec import DataSpec, replace

RunPage = Callable[..., AppTest]
REFUSED = "reads nothing else for its visitors"


@pytest.fixture
def private(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another user's pictures next to the data folder, on an open server."""
    monkeypatch.setenv("DEIT_OPEN", "1")
    write_images(tmp_path / "private", 15)
    write_images(state.settings().data_dir / "folders" / "animals", 15)
    return tmp_path / "private"


def errors(page: AppTest) -> list[str]:
    assert not page.exception
    return [error.value.replace("\\", "").replace("\u2060", "") for error in page.error]


@pytest.mark.parametrize("path", ["{private}", "../private", "folders/../../private", "{private}/none", "~", "~root"])
def test_the_data_page_shows_no_other_folder(run_page: RunPage, private: Path, path: str) -> None:
    page = run_page("data", data="Folder of images", path=path.format(private=private))
    (error,) = errors(page)
    assert REFUSED in error
    assert not page.get("image")
    assert "There is no" not in error


def test_the_data_page_shows_what_was_uploaded(run_page: RunPage, private: Path) -> None:
    page = run_page("data", data="Folder of images", path="folders/animals")
    assert not errors(page)
    assert page.get("image")


@pytest.mark.parametrize("call", [state.facts, state.listing, state.source])
def test_whatever_a_page_reads_is_checked(call: Callable[..., object], private: Path) -> None:
    data = DataSpec(source="folder", path=str(private))
    given = {state.facts: data.model_dump_json(), state.listing: data.path, state.source: data}[call]
    with pytest.raises(DataError, match=REFUSED):
        call(given)


@pytest.mark.parametrize(
    "changes",
    [["data.source=folder", "data.path={private}"], ["initial_checkpoint={private}"], ["initial_checkpoint=/none"]],
    ids=["images", "weights", "missing weights"],
)
def test_no_run_starts_on_it_from_an_address(
    run_page: RunPage, private: Path, changes: list[str], store: Store
) -> None:
    page = run_page("train", preset="smoke", set=[change.format(private=private) for change in changes])
    assert REFUSED in errors(page)[0]
    assert page.button(key="start").disabled
    assert not list((state.settings().runs_dir).glob("estimates/*")), "nothing is measured"


def test_no_run_starts_on_it_from_an_opened_spec(run_page: RunPage, private: Path) -> None:
    spec = replace(presets.smoke(), {"data.source": "folder", "data.path": str(private)})
    page = run_page("train")
    page.file_uploader[0].upload("spec.json", json.dumps(spec.model_dump()).encode()).run()
    assert REFUSED in errors(page)[0]
