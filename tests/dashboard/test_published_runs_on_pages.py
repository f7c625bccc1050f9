"""Pages of a machine that has trained nothing itself: what they show comes from where it is published."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.pictures.run_models import has_weights
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import Store
from deit_core.runs.publisher import publish_again
from deit_core.settings import Settings

RunPage = Callable[..., AppTest]


@pytest.fixture
def bucket(looked: dict[str, str], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where another machine has published the trio."""
    (tmp_path / "bucket").mkdir()
    monkeypatch.setenv("DEIT_STORE", store.database.url)
    monkeypatch.setenv("DEIT_ARTIFACTS", f"file://{tmp_path / 'bucket'}")
    for run_id in looked.values():
        files = RunFiles(run_folder(tmp_path / "runs", run_id))
        files.spec.write_text(store.run(run_id).spec.model_dump_json())
        publish_again(Settings.from_env(), run_id)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "here"))
    st.cache_resource.clear()  # as a server that starts
    return tmp_path / "bucket"


def test_a_page_fetches_the_models_that_it_shows_and_no_others(
    bucket: Path, looked: dict[str, str], run_page: RunPage, tmp_path: Path
) -> None:
    assert all(has_weights(run) for run in state.runs() if run.id in looked.values())
    assert not (tmp_path / "here").exists(), "a list of runs fetches nothing"
    page = run_page("attention")
    assert not page.exception, page.exception
    assert not page.warning
    assert RunFiles(run_folder(tmp_path / "here", looked["deit"])).best.exists()


def test_a_run_that_cannot_be_fetched_is_a_warning(
    bucket: Path, looked: dict[str, str], run_page: RunPage, tmp_path: Path
) -> None:
    for run_id in looked.values():
        (bucket / run_id / "published.json").write_text("damaged")
    page = run_page("attention")
    assert not page.exception, page.exception
    said = [warning.value for warning in page.warning if "names other files" in warning.value]
    assert said
    assert len(set(said)) == len(said), "each once"
    missing = [warning.value for warning in page.warning if "There is no checkpoint" in warning.value]
    assert len(missing) == 3, "one for each model, also where it has several columns"
    assert [one.value for one in page.run().warning if "names other files" in one.value] == said


def test_visitors_do_not_read_where_runs_are_published(
    bucket: Path, looked: dict[str, str], run_page: RunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEIT_OPEN", "1")
    for run_id in looked.values():
        (bucket / run_id / "published.json").write_text("damaged")
    page = run_page("attention")
    warnings = [warning.value.replace("\\", "") for warning in page.warning]
    assert any("at the shared storage/" in one for one in warnings)
    assert not any("bucket" in one for one in warnings)
