"""Where the system refuses something, a page says so in a sentence, in place of Streamlit's box."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core import presets
from deit_core.runs import LocalLauncher, Status, Store
from deit_core.runs.engines import local

_PAGE = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show({name!r})
"""


def a_file(folder: Path) -> Path:
    (folder / "file").write_text("words")
    return folder / "file"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "runs"


def too_long(folder: Path) -> Path:
    return folder / ("n" * 300)


def words_in_the_store(folder: Path) -> Path:
    (folder / "runs").mkdir()
    (folder / "runs" / "runs.sqlite").write_text("these are words, and many of them. " * 50)
    return folder / "runs"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("DEIT_STORE", "DEIT_WORKERS", "DEIT_LOGITS_GB"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


def open_page(name: str, **query: str) -> AppTest:
    page = AppTest.from_string(_PAGE.format(name=name), default_timeout=600)
    for key, value in query.items():
        page.query_params[key] = value
    return page.run()


def assert_told(page: AppTest, name: str) -> None:
    assert not page.exception
    (error,) = page.error
    assert name in error.value.replace("\\", "")
    assert "Errno" not in error.value


@pytest.mark.parametrize("name", ["train", "runs", "compare", "attention"])
@pytest.mark.parametrize("make", [a_file, below_a_file, too_long, words_in_the_store])
def test_a_page_names_a_folder_of_runs_that_cannot_be_used(
    name: str, make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(path))
    page = open_page(name)
    assert_told(page, path.name)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "sound"))
    state.settings.clear()
    page.run()
    assert not page.error  # what was mended needs no restart


def test_a_page_names_a_variable_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", "many")
    assert_told(open_page("runs"), "DEIT_WORKERS")


@pytest.mark.parametrize("make", [a_file, below_a_file, too_long])
def test_the_data_page_names_a_folder_that_cannot_be_used(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    monkeypatch.setenv("DEIT_DATA_DIR", str(path))
    assert_told(open_page("data", data="Folder of images", path="animals"), path.name)


def test_what_a_button_could_not_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "start_worker", lambda *_: pytest.fail("nothing is to start"))
    store = Store(f"sqlite:///{tmp_path / 'runs' / 'runs.sqlite'}")
    store.add({"abcd1234": presets.smoke()}, {})
    store.set_status("abcd1234", Status.COMPLETED)
    page = open_page("runs")

    def refuse(_: LocalLauncher, run_id: str) -> None:
        (a_file(tmp_path) / run_id).mkdir()

    monkeypatch.setattr(LocalLauncher, "delete", refuse)
    page.button("delete-abcd1234").click().run()
    page.button("delete").click().run()
    assert_told(page, "file/abcd1234")


def test_a_mistake_of_the_program_keeps_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.views.runs.page.store", None)
    page = open_page("runs")
    assert not page.error
    assert len(page.exception) == 1
