"""Compare with runs that nobody would wish for: strange names, files that go away between two clicks, many classes."""

import csv
import io
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.tables import points_table
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.data import load_source
from deit_core.layout import RunFiles, run_folder
from deit_core.results.comparison_html import comparison_html
from deit_core.results.comparison_pictures import pictures_only_second_is_right_on
from deit_core.results.two_runs import compare_runs
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, write_predictions
from deit_core.runs import RunUpdate, Status, Store, enqueue
from deit_core.spec import AnySpec, replace

RunPage = Callable[..., AppTest]
Labels = NDArray[np.int64]

SECTIONS = ("compare_mistakes", "compare_passed_on", "compare_calibration", "compare_cost")
NAMES = ["=1+1", "<b>bold</b> **stars** :red[red] $x$", "[a](http://e.example) ![](x.png)", "@SUM(1) `code` | - #"]
SCRIPTS = ("صفر", "一", "שתיים", "три", "τέσσερα", "पाँच", "<i>six</i>", "=7", "**eight**", "nine 😀")
MANY = tuple(f"class {number}" for number in range(1000))


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return load_source("digits", tmp_path / "data").test_labels


@pytest.fixture
def answered(trio: dict[str, str], labels: Labels) -> dict[str, str]:
    for number, run_id in enumerate(trio.values()):
        keep(run_id, labels, num_wrong=10 + 10 * number)
    return trio


def keep(
    run_id: str, labels: Labels, *, num_wrong: int, classes: tuple[str, ...] = SOURCES["digits"].classes
) -> Labels:
    """Write predictions that are wrong on the first images, by the next class. Returns: the decisions."""
    num_classes = len(classes)
    decided = labels.copy()
    decided[:num_wrong] = (decided[:num_wrong] + 1) % num_classes
    noise = np.random.default_rng(num_wrong).normal(size=(len(labels), num_classes))
    logits = (8 * np.eye(num_classes)[decided] + noise).astype(np.float32)
    write_predictions(
        files_of(run_id).predictions,
        Predictions(labels, logits, logits_class=logits, logits_distillation=logits),
        Predictions(labels[-50:], logits[-50:]),
        PredictionFacts(classes, "of these images", 2),
    )
    return decided


def files_of(run_id: str) -> RunFiles:
    return RunFiles(run_folder(state.settings().runs_dir, run_id))


def finished(store: Store, spec: AnySpec, accuracy: float = 0.9) -> dict[str, str]:
    """Completed runs without files: name -> id."""
    ids = {store.run(run_id).name: run_id for run_id in enqueue(store, spec)}
    for run_id in ids.values():
        results = {"test_accuracy": accuracy, "best_val_accuracy": accuracy, "best_epoch": 1}
        store.set_status(run_id, Status.COMPLETED, update=RunUpdate(step=20, total_steps=20, results=results))
    return ids


def opened(page: AppTest) -> AppTest:
    for key in SECTIONS:  # AppTest forgets them with each run
        page.session_state[key] = True
    page.run()
    assert not page.exception
    assert not page.error
    return page


def said(page: AppTest) -> str:
    """All words of the page as a reader sees them."""
    assert not page.exception
    kinds = ("markdown", "caption", "info", "warning", "error")
    texts = [element.value for kind in kinds for element in page.get(kind)]
    cells = [
        str(cell) for table in page.table for row in [table.value.columns, *table.value.to_numpy()] for cell in row
    ]
    return "\n".join([*texts, *cells]).replace("\\", "").replace("\u2060", "")


# Names


@pytest.mark.parametrize("name", NAMES)
def test_names_and_classes_of_any_kind_are_only_read(
    run_page: RunPage, store: Store, labels: Labels, name: str
) -> None:
    teacher, vit, deit = presets.digits_quick().runs
    ids = finished(store, presets.digits_quick().with_changes(runs=(teacher, deit)))
    ids |= finished(store, replace(vit, {"name": name}))
    for run_name, num_wrong in (("teacher", 10), (name, 20), ("deit", 30)):
        keep(ids[run_name], labels, num_wrong=num_wrong, classes=SCRIPTS)
    page = opened(run_page("compare", compare=[ids[name], ids["deit"]]))
    shown = said(page)
    assert f"{name} is ahead of deit by 2.8 points on 360 test images" in shown
    texts = [element.value for kind in ("markdown", "caption", "info", "warning") for element in page.get(kind)]
    cells = [
        str(cell) for table in page.table for row in [table.value.columns, *table.value.to_numpy()] for cell in row
    ]
    assert not [text for text in (*texts, *cells) if name in text], "each sign of it is escaped"
    two = compare_runs(store, state.settings().runs_dir, ids[name], ids["deit"])
    html = comparison_html(two, pictures_only_second_is_right_on(two, state.settings().data_dir))
    assert all(json.dumps(script)[1:-1] in html for script in SCRIPTS if "<" not in script), "in the figures"
    assert "<b>bold" not in html
    assert "<i>six" not in html


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_points_is_no_formula(store: Store, trio: dict[str, str], name: str) -> None:
    (run_id,) = enqueue(store, replace(presets.smoke(), {"name": name}))
    runs = [store.run(run_id), store.run(trio["vit"])]
    text = points_table([(run, store.points(trio["vit"])) for run in runs]).to_csv(index=False)
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any(name in cell for cell in cells)
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "@")]


# What goes away meanwhile


def test_a_folder_that_is_removed_between_two_clicks_is_a_sentence(run_page: RunPage, answered: dict[str, str]) -> None:
    page = opened(run_page("compare"))
    assert "vit is ahead of deit" in said(page)
    shutil.rmtree(files_of(answered["deit"]).folder)
    opened(page)
    assert "The files of 3 deit are gone, and so are the predictions; put the folder back, or delete" in said(page)
    assert "vit is ahead of deit" not in said(page)
    assert page.table[0].value.shape[1] == 3, "results are in the store"
    assert "predictions_make" not in [button.key for button in page.button]


def test_the_teachers_folder_is_missed_alone(run_page: RunPage, answered: dict[str, str]) -> None:
    page = opened(run_page("compare"))
    shutil.rmtree(files_of(answered["teacher"]).folder)
    opened(page)
    assert "vit is ahead of deit" in said(page)
    assert "The teacher, run 1 teacher, is left out. There are no predictions" in said(page)


def test_a_folder_that_is_removed_before_its_predictions_are_asked_for_is_a_sentence(
    run_page: RunPage, answered: dict[str, str]
) -> None:
    files_of(answered["deit"]).predictions.unlink()
    page = run_page("compare")
    button = page.button(key="predictions_make")
    shutil.rmtree(files_of(answered["deit"]).folder)
    page = button.click().run()
    assert "Run 3 deit: its folder" in said(page)
    assert "The files of 3 deit are gone" in said(page)
    assert not page.run().error, "it is said once"


def test_a_run_that_is_deleted_between_two_clicks_is_left(
    run_page: RunPage, answered: dict[str, str], store: Store
) -> None:
    page = opened(run_page("compare", compare=[answered["vit"], answered["deit"]]))
    store.delete(answered["deit"])
    shutil.rmtree(files_of(answered["deit"]).folder)
    opened(page)
    assert page.multiselect(key="compare").value == [answered["vit"]]
    assert "Choose two or more runs" in said(page)
    page.multiselect(key="compare").set_value([answered["vit"], answered["teacher"]]).run()
    assert "teacher is ahead of vit" in said(page)


def test_lab_leaves_a_student_whose_files_are_gone(run_page: RunPage, answered: dict[str, str], store: Store) -> None:
    page = run_page("lab", lab_source="Of a test image")
    assert page.selectbox(key="lab_run").value == "3 deit"
    shutil.rmtree(files_of(answered["deit"]).folder)
    assert "There is no finished student yet" in said(page.run())
    store.delete(answered["deit"])
    assert "There is no finished student yet" in said(page.run())


def test_predictions_that_are_made_again_are_read_again(
    run_page: RunPage, answered: dict[str, str], labels: Labels
) -> None:
    page = opened(run_page("compare"))
    assert "vit is ahead of deit by 2.8 points" in said(page)
    keep(answered["deit"], labels, num_wrong=0)
    assert "deit is ahead of vit by 5.6 points" in said(page.run())
    lab = run_page("lab", lab_source="Of a test image", lab_image="0")
    keep(answered["deit"], labels, num_wrong=360)
    table = lab.table[0].value
    assert not lab.run().table[0].value.equals(table)


def test_images_that_changed_are_not_shown(run_page: RunPage, answered: dict[str, str], labels: Labels) -> None:
    others = np.concatenate([labels, labels])  # numbers up to 719, and there are 360 images here
    for name, num_wrong in (("teacher", 650), ("vit", 690), ("deit", 680)):
        keep(answered[name], others, num_wrong=num_wrong)
    page = opened(run_page("compare"))
    assert "this machine has other images than the models were asked about" in said(page)
    assert "Calibration error" in said(page), "the rest of the page is there"
    lab = run_page("lab", lab_source="Of a test image", lab_image="719")
    assert "this machine has other images than the models were asked about" in said(lab)
    two = compare_runs(state.store(), state.settings().runs_dir, answered["vit"], answered["deit"])
    assert pictures_only_second_is_right_on(two, state.settings().data_dir) is None


# Other data


def test_runs_with_other_classes_are_not_compared(run_page: RunPage, answered: dict[str, str], labels: Labels) -> None:
    keep(answered["deit"], labels % 3, num_wrong=5, classes=("a", "b", "c"))
    page = run_page("compare")
    assert "Run 2 vit and run 3 deit were not evaluated on the same images; compare runs on the same" in said(page)
    assert not page.exception


def test_a_third_run_on_other_data_leaves_the_comparison_of_two(
    run_page: RunPage, answered: dict[str, str], store: Store
) -> None:
    ids = finished(store, replace(presets.smoke(), {"name": "elsewhere", "data.source": "fashion-mnist"}))
    keep(ids["elsewhere"], np.arange(500) % 10, num_wrong=5)
    page = opened(run_page("compare", compare=[answered["vit"], answered["deit"], ids["elsewhere"]]))
    assert "vit is ahead of deit" in said(page)
    assert "Run 2 vit and run 4 elsewhere were not evaluated on the same images" in said(page)


# A thousand classes


@pytest.fixture
def many_classes(trio: dict[str, str]) -> dict[str, Labels]:
    """What each of the trio decides for 3,000 images of a thousand classes."""
    labels = np.random.default_rng(0).integers(1000, size=3000)
    wrong = {"teacher": 300, "vit": 1200, "deit": 600}
    return {"truth": labels} | {
        name: keep(run_id, labels, num_wrong=wrong[name], classes=MANY) for name, run_id in trio.items()
    }


def test_a_thousand_classes_have_a_table_in_place_of_matrices(
    run_page: RunPage, many_classes: dict[str, Labels]
) -> None:
    page = run_page("compare")
    began = time.process_time()
    opened(page)
    assert time.process_time() - began < 15
    (table,) = (table.value for table in page.table if "Class" in table.value.columns)
    truth = many_classes["truth"]

    def right(name: str, label: int) -> float:
        return float((many_classes[name][truth == label] == label).mean())

    apart = {label: abs(right("deit", label) - right("vit", label)) for label in set(truth.tolist())}
    most = sorted(apart, key=lambda label: (-apart[label], label))[:20]
    rows = [[str(cell).replace("\\", "") for cell in row] for row in table.to_numpy()]
    assert rows == [
        [MANY[label], *(f"{right(name, label):.1%}" for name in ("teacher", "vit", "deit"))] for label in most
    ]
    assert "The 20 of 1,000 classes in which both models differ most." in said(page)
    assert "rank correlation of a student's rows" in said(page)
    assert "and 997 classes more" not in said(page)
    lab = run_page("lab", lab_source="Of a test image", lab_image="2999")
    assert not lab.exception
    assert len(lab.table[0].value) == 12
