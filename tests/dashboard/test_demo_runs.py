"""The runs that come with the program: every page has something to show before anything is trained, and no network."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core.layout import DEMO_FOLDER, RunFiles, run_folder
from deit_core.metrics import TEST_ACCURACY
from deit_core.models import load_checkpoint
from deit_core.run_files.prediction_file import read_predictions
from deit_core.runs import Run, Status, Store, demo_runs

RunPage = Callable[..., AppTest]

EXPERIMENTS = ["scattered-quick", "digits-quick", "fashion-classroom"]
RUNS = demo_runs().runs()
ids = pytest.mark.parametrize("run", RUNS, ids=lambda run: run.id)


@pytest.fixture
def demo_page(run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch) -> RunPage:
    """A page of a dashboard whose own store is empty."""
    monkeypatch.setenv("DEIT_DEMO_RUNS", "1")
    st.cache_resource.clear()
    return run_page


def said(page: AppTest) -> str:
    assert not page.exception
    assert not page.error
    kinds = ("title", "markdown", "caption", "info", "success", "warning")
    return "\n".join(element.value for kind in kinds for element in page.get(kind)).replace("\\", "")


def test_they_are_three_experiments_of_three_models_and_small() -> None:
    by_experiment: dict[str, list[str]] = {}
    for run in RUNS:
        by_experiment.setdefault(run.experiment_name or "", []).append(run.name)
    assert list(by_experiment) == EXPERIMENTS
    assert all(names == ["teacher", "vit", "deit"] for names in by_experiment.values())
    assert sum(file.stat().st_size for file in DEMO_FOLDER.rglob("*") if file.is_file()) < 15e6


@ids
def test_its_files_say_what_its_results_say(run: Run) -> None:
    files = RunFiles(run_folder(state.settings().runs_dir, run.id))
    assert run.status == Status.COMPLETED
    assert load_checkpoint(files.best)
    kept = read_predictions(files.predictions).test
    assert np.mean(kept.logits.argmax(1) == kept.labels) == pytest.approx(run.results[TEST_ACCURACY])
    assert demo_runs().points(run.id, kind="epoch")[-1].epoch == run.spec.optim.epochs


def test_home_has_a_verdict_on_each(demo_page: RunPage) -> None:
    words = said(demo_page("home"))
    for name in EXPERIMENTS:
        assert f"**{name}** (demo): " in words
    assert "test images" in words


def test_home_loads_no_torch_for_it(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_string('from dashboard.navigation import pages, show\\nimport streamlit as st\\n"
        'st.navigation(pages(), position="hidden")\\nshow("home")\')\n'
        "assert not page.run(timeout=600).exception\n"
        "assert any('is ahead of' in one.value for one in page.markdown)\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {"PATH": "/usr/bin:/bin", "DEIT_RUNS_DIR": str(tmp_path), "HOME": str(tmp_path)}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env=environment, timeout=600)


def test_compare_judges_them(demo_page: RunPage) -> None:
    page = demo_page("compare", compare=["demo-scattered-quick-vit", "demo-scattered-quick-deit"])
    assert "deit is ahead of vit by" in said(page)


def test_attention_shows_where_they_look(demo_page: RunPage) -> None:
    page = demo_page("attention")
    assert "There is no trained ViT yet" not in said(page)
    assert any("(demo)" in str(box.value) or "demo-" in str(box.value) for box in page.selectbox)


@pytest.mark.parametrize("name", ["predict", "lab"])
def test_the_page_has_something_to_show(name: str, demo_page: RunPage) -> None:
    page = demo_page(name)
    assert "Train a teacher" not in said(page)


def test_runs_shows_them_after_ones_own_and_deletes_none(demo_page: RunPage, store: Store) -> None:
    page = demo_page("runs")
    assert len(page.dataframe[0].value) == len(RUNS)
    assert not [button for button in page.button if button.label in ("Delete", "Stop", "Resume")]
    assert store.runs() == []


def test_they_can_be_hidden(demo_page: RunPage) -> None:
    page = demo_page("runs")
    page.toggle(key=state.SHOWS_DEMO).set_value(False).run()
    assert "No run yet" in said(page)
    assert page.toggle(key=state.SHOWS_DEMO).value is False


def test_a_server_can_hide_them_from_everybody(run_page: RunPage) -> None:
    assert "No run yet" in said(run_page("runs"))


def test_of_images_that_are_not_here_the_first_can_be_seen(demo_page: RunPage) -> None:
    from dashboard.pictures.answered_images import images_answered

    run = next(run for run in RUNS if run.id == "demo-fashion-classroom-vit")
    labels = read_predictions(RunFiles(run_folder(state.settings().runs_dir, run.id)).predictions).test.labels
    source, sentence = images_answered(run.spec.data, labels)
    assert source is not None
    assert len(source.test_labels) in (200, len(labels)), "all of them where the data set is installed"
    assert bool(sentence) == (len(source.test_labels) < len(labels))
