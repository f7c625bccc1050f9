"""Two runs by what they answered: the numbers are those of the files, and what cannot be compared is refused."""

import dataclasses
import json
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, zero_one_loss

from deit_core import presets
from deit_core.errors import RunError
from deit_core.layout import RunFiles, run_folder
from deit_core.results.comparison_document import comparison_document
from deit_core.results.two_runs import compare_runs
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, write_predictions
from deit_core.run_files.view_file import TrainingViews, ViewFacts, write_views
from deit_core.runs import RunUpdate, Status, Store, enqueue, open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import AnySpec, RunSpec, replace

FACTS = PredictionFacts(tuple("0123456789"), "the data", 3)
SKILL = {"teacher": 4.0, "vit": 1.5, "deit": 2.0}  # how much larger the true class's logit is


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def answers(num_images: int, skill: float, seed: int, labels_seed: int = 0) -> Predictions:
    labels = np.random.default_rng(labels_seed).integers(10, size=num_images)
    heads = np.random.default_rng(seed).normal(size=(2, num_images, 10)).astype(np.float32)
    heads[:, np.arange(num_images), labels] += np.float32(skill)
    return Predictions(labels, heads.mean(axis=0), *heads) if seed % 2 else Predictions(labels, heads[0])


def finish(store: Store, settings: Settings, spec: AnySpec, facts: PredictionFacts = FACTS) -> dict[str, str]:
    """Runs as if they had been trained: ids by name. A DeiT has two heads."""
    ids = {}
    for run_id in enqueue(store, spec):
        run = store.run(run_id)
        skill, seed = SKILL[run.name.partition("-")[0]], 2 * run.number + (run.name.startswith("deit"))
        test, val = answers(500, skill, seed), answers(200, skill, seed + 100, labels_seed=1)
        right = [float((one.logits.argmax(1) == one.labels).mean()) for one in (test, val)]
        results = {"test_accuracy": right[0], "best_val_accuracy": right[1]}
        store.set_status(run_id, Status.COMPLETED, update=RunUpdate(results=results))
        write_predictions(file_of(settings, run_id), test, val, facts)
        ids[run.name] = run_id
    return ids


def file_of(settings: Settings, run_id: str) -> Path:
    return RunFiles(run_folder(settings.runs_dir, run_id)).predictions


def test_every_number_is_one_of_the_files(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick())
    two = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    document = json.loads(json.dumps(comparison_document(two), allow_nan=False))
    assert [one["name"] for one in document["models"]] == ["teacher", "vit", "deit"]
    assert (document["part"], document["num_images"]) == ("test", 500)
    for one, model in zip(document["models"], two.models, strict=True):
        logits, labels = model.predictions.logits.astype(float), model.predictions.labels
        assert one["accuracy"] == accuracy_score(labels, logits.argmax(1)) == model.run.results["test_accuracy"]
        cells = np.zeros((10, 10), int)
        for row, column, count in one["confusion"]:
            cells[row, column] = count
        assert np.array_equal(cells, confusion_matrix(labels, logits.argmax(1), labels=range(10)))
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert one["calibration"]["negative_log_likelihood"] == pytest.approx(log_loss(labels, chances), abs=1e-9)
        assert one["calibration"]["with_temperature"] > 0
    names = document["disagreement"]["names"]
    assert names == ["truth", "teacher", "vit", "deit, class", "deit, distillation", "deit"]
    decisions = two.decisions
    for name, row in zip(names, document["disagreement"]["shares"], strict=True):
        for other, share in zip(names, row, strict=True):
            assert share == pytest.approx(zero_one_loss(decisions[name], decisions[other]), abs=1e-9)
    images = sorted(image for case in document["who_is_right"] for image in case["images"])
    assert images == list(range(500))
    teacher, vit, deit = (one["accuracy"] for one in document["models"])
    verdict = document["verdict"]
    assert (verdict["leader"], verdict["difference"]) == ("deit", pytest.approx(deit - vit, abs=1e-12))
    assert verdict["closed_share"]["value"] == pytest.approx((deit - vit) / (teacher - vit), abs=1e-12)
    inherited = document["passed_on"]["inherited"]["deit"]
    wrong = decisions["teacher"] != decisions["truth"]
    assert inherited["same"] == int((wrong & (decisions["deit"] == decisions["teacher"])).sum())
    assert document["passed_on"]["rank_correlation"]["deit"]["mean"] is not None


def test_the_teachers_word_on_training_views(store: Store, settings: Settings) -> None:
    """Of four views it contradicts the second, and of the two mixed ones the fourth."""
    ids = finish(store, settings, presets.digits_quick())
    (taught,) = document_of(store, settings, ids)["training_views"]
    assert taught["counts"] is None
    sentence = f"There are no training views of deit yet; `python -m deit_core predict {ids['deit']}` makes them."
    assert taught["sentence"] == sentence

    logits = np.log(np.full((4, 10), 0.5 / 9, np.float32))
    logits[range(4), [3, 5, 7, 8]] = np.log(0.5)
    views = TrainingViews(
        labels=np.array([3, 4, 1, 2]),
        other_labels=np.array([-1, -1, 7, 2]),
        images=np.array([11, 12, 13, 14]),
        logits=logits,
        pictured=np.array([1]),
        pictures=np.full((1, 1, 2, 2), 9, np.uint8),
    )
    file = RunFiles(run_folder(settings.runs_dir, ids["deit"])).views
    write_views(file, views, ViewFacts(FACTS.classes, 1))
    (taught,) = document_of(store, settings, ids)["training_views"]
    counts = {"num_views": 4, "contradicted": 2, "num_mixed": 2, "contradicted_mixed": 1, "share": 0.5}
    assert (taught["student"], taught["epoch"], taught["counts"]) == ("deit", 1, counts)
    half = pytest.approx(0.5)
    assert taught["contradicted"] == [
        {"image": 12, "labels": [4], "teacher": 5, "probability": half},
        {"image": 14, "labels": [2], "teacher": 8, "probability": half},
    ]
    assert taught["sentence"] == (
        "The teacher of deit contradicts the label on 2 of 4 training views (50.0%), the first of epoch 1. Of these "
        "views 2 are two images in one and have two labels; the teacher says neither on 1 of them."
    )
    (seen,) = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"]).taught
    first, second = seen.contradicted_views
    assert first.caption(FACTS.classes) == "4; teacher: 5 (50%)"
    assert first.picture is not None
    assert (first.picture.shape, first.picture.min()) == ((2, 2, 3), 9)
    assert second.picture is None

    write_views(file, dataclasses.replace(views, other_labels=np.array([0, 4, 7, 2])), ViewFacts(FACTS.classes, 1))
    (taught,) = document_of(store, settings, ids)["training_views"]
    assert taught["sentence"].endswith(
        "Each view is two images in one and has two labels; there the teacher says neither."
    )

    file.write_bytes(b"no")
    (taught,) = document_of(store, settings, ids)["training_views"]
    assert "is damaged or holds no training views" in taught["sentence"]


def document_of(store: Store, settings: Settings, ids: dict[str, str]) -> dict[str, Any]:
    """As JSON brings it."""
    two = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    document: dict[str, Any] = json.loads(json.dumps(comparison_document(two), allow_nan=False))
    return document


def test_of_a_folder_that_is_shrunk_a_lot_a_larger_size_is_tried(
    store: Store, settings: Settings, tiny: RunSpec, tmp_path: Path
) -> None:
    """Pictures of 250 px whose classes say nothing, seen at 56 px by two runs."""
    noise = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "textiles" / ("global", "local")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (250, 300 - number, 3), np.uint8)).save(folder / f"{number}.jpg")
    data = {"source": "folder", "path": str(tmp_path / "textiles"), "img_size": 56, "val_fraction": 0.25}
    changes = {f"data.{name}": value for name, value in data.items()}
    spec = replace(tiny, {"optim.epochs": 1, "model.patch_size": 14, **changes})
    ids = []
    for seed in (1, 2):
        (run,), mistake = train_here(store, settings, replace(spec, {"seed": seed}), lambda *_: None)
        assert mistake is None
        ids.append(run.id)
    two = compare_runs(store, settings.runs_dir, *ids)
    assert two.verdict.background.native_size == 250
    assert two.verdict.next_steps[0] == (
        "The images have 250 px and the models see them at 56 px: try a larger data.img_size, such as 112."
    )


def test_a_student_comes_second_however_they_are_named(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick())
    one, other = (
        comparison_document(compare_runs(store, settings.runs_dir, *pair))
        for pair in ((ids["vit"], ids["deit"]), (ids["deit"], ids["vit"]))
    )
    assert one == other


def test_the_teacher_itself_may_be_compared(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick())
    two = compare_runs(store, settings.runs_dir, ids["teacher"], ids["deit"])
    assert [one.name for one in two.models] == ["teacher", "deit"]
    assert two.teacher is None
    assert two.verdict.leader == "teacher"
    assert two.verdict.background.closed is None


def test_over_three_seeds_the_seeds_decide(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, replace(presets.digits_quick(), {"seeds": 3}))
    verdict = compare_runs(store, settings.runs_dir, ids["vit-s43"], ids["deit-s43"]).verdict
    assert verdict.num_seeds == 3
    runs = {run.name: run.results["test_accuracy"] for run in store.runs()}
    gains = [runs["deit" + end] - runs["vit" + end] for end in ("", "-s43", "-s44")]
    assert verdict.difference == pytest.approx(np.mean(gains), abs=1e-12)
    same = compare_runs(store, settings.runs_dir, ids["vit"], ids["vit-s43"]).verdict
    assert same.num_seeds == 0  # they differ in the seed alone


def test_runs_of_a_search_are_judged_on_validation(store: Store, settings: Settings) -> None:
    spec = replace(presets.digits_quick(), {"tags": ("search",)})
    ids = finish(store, settings, spec)
    two = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    assert two.part == "validation"
    assert len(two.labels) == 200
    assert "on 200 validation images" in two.verdict.sentences[0]


def test_runs_of_one_name_are_told_apart_by_their_numbers(store: Store, settings: Settings) -> None:
    first, second = (finish(store, settings, presets.digits_quick())["vit"] for _ in range(2))
    two = compare_runs(store, settings.runs_dir, first, second)
    assert [one.name for one in two.models] == ["vit (2)", "vit (5)"]


@pytest.mark.parametrize(
    "other",
    [with_fields(FACTS, data_hash="other data"), with_fields(FACTS, classes=tuple("9876543210"))],
    ids=["images", "classes"],
)
def test_other_data_is_refused(other: PredictionFacts, store: Store, settings: Settings) -> None:
    first = finish(store, settings, presets.digits_quick())["vit"]
    second = finish(store, settings, presets.digits_quick(), other)["deit"]
    with pytest.raises(RunError, match=r"Run 2 vit and run 6 deit were not evaluated on the same images; compare runs"):
        compare_runs(store, settings.runs_dir, first, second)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda store, settings, ids: store.set_status(ids["deit"], Status.FAILED), "deit is failed, and only a com"),
        (lambda store, settings, ids: file_of(settings, ids["deit"]).unlink(), "predict .*` makes them"),
        (
            lambda store, settings, ids: file_of(settings, ids["vit"]).write_bytes(b"no"),
            "predict .*` writes them again",
        ),
        (lambda store, settings, ids: ids.update(deit=ids["vit"]), "Both are run 2 vit; name two different runs"),
    ],
    ids=["not-completed", "without-predictions", "damaged", "twice-the-same"],
)
def test_what_is_missing_is_one_sentence(change: Any, words: str, store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick())
    change(store, settings, ids)
    with pytest.raises(RunError, match=words) as caught:
        compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    assert "\n" not in str(caught.value)


def test_without_the_teachers_answers_the_rest_is_compared(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick())
    file_of(settings, ids["teacher"]).unlink()
    two = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    assert two.teacher is None
    assert two.notes[0].startswith("The teacher, run 1 teacher, is left out. There are no predictions")
    assert comparison_document(two)["passed_on"] is None
    assert two.verdict.background.closed is not None  # of the accuracies in the store


def test_heads_that_were_not_kept_are_said(store: Store, settings: Settings) -> None:
    ids = finish(store, settings, presets.digits_quick(), with_fields(FACTS, logits_alone=True))
    two = compare_runs(store, settings.runs_dir, ids["vit"], ids["deit"])
    assert "deit: heads and embeddings are left out, because the file would be too large with them." in two.notes
