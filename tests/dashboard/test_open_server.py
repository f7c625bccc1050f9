"""Visitors of a server that others can reach see the data and runs folders, and not what else is on the machine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import write_images
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.navigation import paths
from dashboard.server import start
from dashboard.views.attention import model_choice
from deit_core import presets
from deit_core.errors import DataError
from deit_core.runs import RunUpdate, Status, Store, enqueue
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


@pytest.fixture
def owners_run(private: Path, store: Store) -> str:
    """A failed run of the owner on the private pictures, with paths in its reason and its log."""
    changes = {"data.source": "folder", "data.path": str(private), "initial_checkpoint": f"{private}/start.pth"}
    (private / "start.pth").touch()
    (run_id,) = enqueue(store, replace(presets.smoke(), changes))
    store.set_status(run_id, Status.RUNNING)
    store.add_points(run_id, [], RunUpdate(step=3, total_steps=9))
    store.set_status(run_id, Status.FAILED, f"{private}/bee/0.png cannot be read; remove it.")
    log = state.files_of(store.run(run_id)).log
    log.parent.mkdir(parents=True)
    log.write_text(f"reading {private}/bee\nOSError: '{private}/bee/0.png'\n")
    return run_id


def texts(page: AppTest) -> str:
    """All that the server sends for a page, as text."""
    assert not page.exception
    return " ".join(str(element.proto) for element in page.main if hasattr(element, "proto")).replace("\\", "")


def test_visitors_cannot_resume_what_they_could_not_start(
    run_page: RunPage, private: Path, owners_run: str, store: Store
) -> None:
    page = run_page("runs", runs=owners_run)
    page.button(key=f"Resume-{owners_run}").click().run()
    assert REFUSED in " ".join(errors(page))
    assert store.run(owners_run).status == Status.FAILED


def test_the_owner_can_resume_it(
    run_page: RunPage, owners_run: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEIT_OPEN")
    page = run_page("runs", runs=owners_run)
    page.button(key=f"Resume-{owners_run}").click().run()
    assert not errors(page)
    assert store.run(owners_run).status == Status.QUEUED


def test_visitors_see_names_in_place_of_paths(run_page: RunPage, private: Path, owners_run: str, store: Store) -> None:
    (other,) = enqueue(store, presets.smoke())
    store.add_points(other, [], RunUpdate(step=1))
    page = run_page("runs", runs=owners_run)
    page.session_state[f"log-{owners_run}"] = True
    page.run()
    assert "0.png cannot be read" in texts(page)
    assert "reading bee" in texts(page)
    compared = run_page("compare", compare=[owners_run, other])
    for shown in (page, compared):
        assert str(private.parent) not in texts(shown)


@pytest.mark.parametrize("name", [path or "train" for path in paths()])
def test_no_page_tells_a_visitor_where_anything_is(
    name: str, run_page: RunPage, private: Path, looked: dict[str, str], store: Store
) -> None:
    """Whatever the runs say of themselves: also where folders have spaces in their names, and nobody quotes them."""
    private.rename(private.with_name("my pictures"))
    changes = {"data.source": "folder", "data.path": f"{private.parent}/my pictures"}
    (run_id,) = enqueue(store, replace(presets.smoke(), changes))
    store.set_status(run_id, Status.RUNNING)
    state_file = state.files_of(store.run(run_id)).state
    reason = f"{state_file} is damaged. {private.parent}/my pictures/bee/0.png cannot be read at 3 images/s."
    store.set_status(run_id, Status.FAILED, reason)
    state_file.parent.mkdir(parents=True)
    state.files_of(store.run(run_id)).log.write_text(f"INFO started\n{reason}\nsaved {state_file}\n")
    page = run_page(name, runs=run_id, compare=[run_id, looked["vit"]])
    if name == "runs":
        page.session_state[f"log-{run_id}"] = True
        page.run()
        assert f"saved {run_id}/state.pt" in texts(page)
        assert "0.png cannot be read at 3 images/s" in texts(page)
    assert str(private.parent) not in texts(page)
    assert "my pictures/" not in texts(page)
    Path(state.store().database.name).rename(private.parent / "moved")
    assert "runs.sqlite is gone" in texts(gone := run_page(name))
    assert str(private.parent) not in texts(gone)


def test_a_visitor_edits_a_spec_without_its_paths(run_page: RunPage, private: Path, owners_run: str) -> None:
    page = run_page("runs", runs=owners_run)
    page.button(key=f"edit-{owners_run}").click().run()
    _, spec = page.session_state["opened_spec"]
    assert json.loads(spec)["data"]["path"] == "private"
    assert str(private.parent) not in spec.decode()


def test_weights_and_logs_behind_a_link_are_not_read(private: Path, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    run = store.run(run_id)
    files = state.files_of(run)
    files.best.parent.mkdir(parents=True)
    for file in (files.best, files.log):
        file.write_text("a line")
    assert model_choice.ready([run]) == [run]
    assert state.shown_log(run, 20) == "a line"
    files.best.parent.rename(private / run_id)
    files.best.parent.symlink_to(private / run_id)
    assert files.best.exists()
    assert model_choice.ready([run]) == []
    assert state.shown_log(run, 20) == ""


def test_an_error_of_an_open_server_shows_no_code(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = config.get_option("client.showErrorDetails")
    try:
        config.set_option("client.showErrorDetails", "full")
        start.hide_details_from_visitors()
        assert config.get_option("client.showErrorDetails") == "none"
    finally:
        config.set_option("client.showErrorDetails", before)
