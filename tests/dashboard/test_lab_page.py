"""The Distillation lab: the table of the note, the temperature, what can be typed, and the weight alpha."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.lab import lab_charts
from dashboard.views.lab.logits import Answers, read_logits
from deit_core.errors import DeitError
from deit_core.layout import RunFiles, run_folder
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, write_predictions
from deit_core.runs import NewPoint, RunUpdate, Store

RunPage = Callable[..., AppTest]
ANSWERS = Answers([30, 5, 2, 2], [4, 1, 3, 0], 0, ["a", "b", "c", "d"])


def column(page: AppTest, name: str) -> list[str]:
    return [str(cell) for cell in page.table[0].value[name]]


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_it_opens_on_the_table_of_the_note(run_page: RunPage) -> None:
    page = run_page("lab")
    assert not page.exception
    assert column(page, "Teacher, τ = 1") == ["1.0000", "< 0.0001", "< 0.0001", "< 0.0001"]
    assert column(page, "Teacher, τ = 10") == ["0.8308", "0.0682", "0.0505", "0.0505"]
    assert page.slider(key="lab_tau").value == 10
    assert "leaves out" in page.caption[1].value


def test_the_temperature_changes_what_the_student_gets_to_learn(run_page: RunPage) -> None:
    page = run_page("lab", lab_tau="3")
    assert "nearly a hard label" in page.caption[1].value
    page.slider(key="lab_tau").set_value(10.0).run()
    assert float(metrics(page)["Entropy of the soft targets"]) == pytest.approx(0.6388, abs=5e-4)
    page.slider(key="lab_tau").set_value(30.0).run()
    assert float(metrics(page)["Entropy of the soft targets"]) > 1.2


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ("30", "Type 2 to 12 logits with commas between them"),
        ("30, five", "five is not a number"),
        ("30, inf", "inf is too large"),
        ("30, nan", "nan is too large"),
        ("30, 1e9", "1e9 is too large"),
        ("1, 2, 3", "The teacher has 3 logits and the student 4"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(run_page: RunPage, teacher: str, said: str) -> None:
    page = run_page("lab", lab_teacher=teacher)
    assert not page.exception
    assert said in page.error[0].value.replace("\\", "").replace("\u2060", "")
    page.text_input(key="lab_teacher").set_value("1 2 3 4").run()
    assert not page.error


def test_logits_may_be_written_in_several_ways() -> None:
    assert read_logits(" 1, 2.5;-3 4e0 ") == [1, 2.5, -3, 4]
    with pytest.raises(DeitError, match="2 to 12"):
        read_logits(", ".join("1" * 13))


def test_alpha_weighs_the_terms_of_the_loss(run_page: RunPage) -> None:
    page = run_page("lab", lab_alpha="0.25")
    found = metrics(page)
    base, taught = float(found["True label"]), float(found["Teacher's term"])
    assert base == pytest.approx(0.3618, abs=1e-4), "by hand: -ln softmax(4, 1, 3, 0)[0]"
    assert float(found["Loss"]) == pytest.approx(0.75 * base + 0.25 * taught, abs=2e-4)
    page.segmented_control(key="lab_kind").set_value("hard").run()
    assert float(metrics(page)["Teacher's term"]) == pytest.approx(base), "the teacher says class 1, as the label does"


def test_the_terms_may_be_those_of_a_run(run_page: RunPage, trio: dict[str, str], store: Store) -> None:
    page = run_page("lab")
    page.selectbox(key="lab_values").select("3 deit").run()
    losses = {"train_loss_class": 0.5, "train_loss_distillation": 2.0}
    store.add_points(trio["deit"], [NewPoint("step", 40, 4.0, 9.0, losses)], RunUpdate(step=40))
    page.run()
    assert not page.exception
    assert metrics(page) | {"True label": "0.5000", "Teacher's term": "2.0000", "Loss": "1.2500"} == metrics(page)


def test_with_the_factor_the_size_of_the_gradient_stays() -> None:
    lines: dict[str, Any] = {trace["name"]: trace for trace in lab_charts.gradient_sizes(ANSWERS, 10)["data"]}
    kept, plain, limit = (lines[name]["y"] for name in ("with the factor τ²", "without it", "limit with the factor"))
    assert kept[-1] == pytest.approx(limit[-1], rel=0.25)
    assert plain[-1] < plain[0] / 10


def test_without_a_finished_student_it_leads_to_train(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("lab", lab_source="Of a test image")
    assert not page.exception
    assert "no finished student" in page.info[0].value
    assert page.page_link[0].value == "Train a teacher, a ViT and a DeiT"


def test_the_logits_of_a_test_image_are_those_that_the_runs_keep(run_page: RunPage, trio: dict[str, str]) -> None:
    labels = np.arange(20) % 10
    logits = {
        name: np.random.default_rng(seed).normal(size=(20, 10)).astype(np.float32) for seed, name in enumerate(trio)
    }
    classes = tuple("0123456789")
    for name, run_id in trio.items():
        heads = {"logits_class": logits[name] + 1, "logits_distillation": logits[name] - 1} if name == "deit" else {}
        kept = Predictions(labels, logits[name], **heads)
        file = RunFiles(run_folder(state.settings().runs_dir, run_id)).predictions
        write_predictions(file, kept, kept, PredictionFacts(classes, "hash", 2))
    page = run_page("lab", lab_source="Of a test image", lab_image="7")
    assert not page.exception
    assert column(page, "Teacher's logit") == [f"{value:.4g}" for value in logits["teacher"][7]]
    assert column(page, "Student's logit") == [f"{value:.4g}" for value in logits["deit"][7]]
    assert column(page, "Class")[7] == "7 (true)"
    page.selectbox(key="lab_head").select("Class head").run()
    assert column(page, "Student's logit") == [f"{value + 1:.4g}" for value in logits["deit"][7]]


def test_of_many_classes_the_likeliest_are_shown() -> None:
    many = Answers([float(number) for number in range(100)], [0.0] * 100, 3, [f"c{number}" for number in range(100)])
    assert many.shown == [3, *range(89, 100)]
    bars = lab_charts.soft_target_bars(many, 2)["data"]
    assert all(len(trace["x"]) == 12 for trace in bars)
