"""Compare by what the runs answered: the verdict, the sections, and the way from an image to Attention."""

from collections.abc import Callable

import numpy as np
import pytest
from kept_answers import CLASSES, NUM_WRONG, keep
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core.layout import RunFiles, run_folder
from deit_core.run_files.view_file import TrainingViews, ViewFacts, write_views
from deit_core.runs import NewPoint, RunUpdate, Store, predictor

RunPage = Callable[..., AppTest]


def said(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning")
    return (
        "\n".join(element.value for kind in kinds for element in page.get(kind)).replace("\\", "").replace("\u2060", "")
    )


def open_section(page: AppTest, key: str) -> AppTest:
    page.session_state[key] = True
    return page.run()


def tables(page: AppTest) -> list[list[tuple[str, ...]]]:
    return [
        [tuple(str(cell).replace("\\", "") for cell in row) for row in table.value.itertuples(index=False)]
        for table in page.table
    ]


def test_the_verdict_comes_first(run_page: RunPage, answered: dict[str, str]) -> None:
    page = run_page("compare")
    assert not page.exception
    assert (
        page.markdown[0].value.replace("\\", "").startswith("**deit is ahead of vit by 5.6 points on 360 test images")
    )
    assert "Class by class, against vit, deit gains most in" in said(page)
    assert "Train each with three seeds" in said(page)


def test_mistakes_are_counted_and_lead_to_attention(
    run_page: RunPage, answered: dict[str, str], labels: np.ndarray
) -> None:
    page = open_section(run_page("compare"), "compare_mistakes")
    assert not page.exception
    cases = page.selectbox(key="compare_case")
    assert cases.value == "teacher, deit right; vit wrong: 20 images"
    assert [case for case in cases.options if not case.endswith(": 0 images")] == [
        "teacher, vit, deit right: 320 images",
        "teacher, deit right; vit wrong: 20 images",
        "teacher right; vit, deit wrong: 16 images",
        "teacher, vit, deit wrong: 4 images",
        "Worst mistakes of vit",
        "Worst mistakes of deit",
    ]
    page.session_state["compare_image"] = 20
    page.run()
    (closer,) = [table for table in tables(page) if any("✗" in cell for row in table for cell in row)]
    wrong = CLASSES[(labels[20] + 1) % 10]
    assert [row[1] for row in closer] == [f"✓ {CLASSES[labels[20]]}", f"✗ {wrong}", f"✓ {CLASSES[labels[20]]}"]
    page.button(key="compare_open").click().run()
    assert page.session_state["att_class"] == CLASSES[labels[20]]
    assert page.session_state["att_image"] == 1 + int((labels[:20] == labels[20]).sum())
    assert (page.session_state["att_left"], page.session_state["att_right"]) == (answered["vit"], answered["deit"])


def test_what_was_passed_on(run_page: RunPage, answered: dict[str, str], store: Store) -> None:
    cosines = {f"val_token_cosine_{block}": 0.1 + 0.2 * block for block in range(4)}
    results = store.run(answered["deit"]).results | {"best_epoch": 4}
    store.add_points(answered["deit"], [NewPoint("epoch", 40, 4.0, 4.0, cosines)], RunUpdate(results=results))
    page = open_section(run_page("compare"), "compare_passed_on")
    assert not page.exception
    own, paper, inherited = [table for table in tables(page) if table[0][0] in ("truth", "vit")]
    assert own[0] == ("truth", "0.0%", "1.1%", "11.1%", "5.6%", "5.6%", "5.6%")
    assert paper[1][:3] == ("convnet", "17.1%", "0.0%")
    assert inherited == [("vit", "4 (100%)", "0", "0"), ("deit", "4 (100%)", "0", "0")]
    assert (
        "Of the 4 images that teacher gets wrong, deit makes the same mistake on 100% and vit on 100%: no diff"
        in said(page)
    )
    assert "So these images do not show that either student takes over more" in said(page)
    assert "Class token and distillation token" in said(page)
    assert not page.info


def test_tokens_that_became_one_are_told(run_page: RunPage, answered: dict[str, str], store: Store) -> None:
    cosines = {f"val_token_cosine_{block}": 0.98 for block in range(4)}
    results = store.run(answered["deit"]).results | {"best_epoch": 4}
    store.add_points(answered["deit"], [NewPoint("epoch", 40, 4.0, 4.0, cosines)], RunUpdate(results=results))
    page = open_section(run_page("compare"), "compare_passed_on")
    (told,) = page.info
    assert "deit have become nearly the same" in told.value


def test_the_teachers_word_against_the_label(run_page: RunPage, answered: dict[str, str]) -> None:
    none = np.full(3, -1)
    labels, logits = np.array([1, 2, 3]), np.log(np.eye(10, dtype=np.float32)[[1, 2, 8]] * 0.6 + 0.04)
    views = TrainingViews(labels, none, labels, logits, np.array([2]), np.full((1, 1, 4, 4), 7, np.uint8))
    file = RunFiles(run_folder(state.settings().runs_dir, answered["deit"])).views
    write_views(file, views, ViewFacts(CLASSES, 1))
    page = open_section(run_page("compare"), "compare_passed_on")
    assert not page.exception
    assert "The teacher of deit contradicts the label on 1 of 3 training views (33.3%), the first of epoch 1." in said(
        page
    )
    assert "All are shown, as they were trained on." in said(page)


def test_a_student_without_training_views_gets_them_by_the_button(
    run_page: RunPage, answered: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(predictor.Predictor, "request", lambda _, run: asked.append(run.id))
    page = open_section(run_page("compare"), "compare_passed_on")
    assert "There are no training views of 3 deit yet." in said(page)
    page.button(key=f"views_{answered['deit']}_make").click().run()
    assert asked == [answered["deit"]]


def test_calibration(run_page: RunPage, answered: dict[str, str]) -> None:
    page = open_section(run_page("compare"), "compare_calibration")
    assert not page.exception
    (found,) = [table for table in tables(page) if len(table[0]) == 5]
    chance = np.exp(4) / (np.exp(4) + 9)
    expected = [abs(chance - (1 - NUM_WRONG[name] / 360)) for name in ("teacher", "vit", "deit")]
    assert [row[1] for row in found] == [f"{error:.2%}" for error in expected]
    assert f"teacher is underconfident by {100 * expected[0]:.1f} points" in said(page)


def test_runs_on_other_images_are_told_apart(run_page: RunPage, answered: dict[str, str], labels: np.ndarray) -> None:
    keep(answered["deit"], "deit", labels, data_hash="another")
    page = run_page("compare")
    assert not page.exception
    assert "were not evaluated on the same images" in said(page)


def test_runs_without_predictions_get_them_by_a_button(
    run_page: RunPage, trio: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vit", "deit"):
        run_folder(state.settings().runs_dir, trio[name]).mkdir(parents=True)
    asked: list[str] = []
    monkeypatch.setattr(predictor.Predictor, "request", lambda _, run: asked.append(run.id))
    page = run_page("compare")
    assert "There are no predictions of 2 vit, 3 deit" in said(page)
    page.button(key="predictions_make").click().run()
    assert asked == [trio["vit"]]


def test_a_damaged_file_is_a_sentence(run_page: RunPage, answered: dict[str, str]) -> None:
    RunFiles(run_folder(state.settings().runs_dir, answered["vit"])).predictions.write_bytes(b"no safetensors")
    page = run_page("compare")
    assert not page.exception
    assert "holds no predictions" in said(page)
