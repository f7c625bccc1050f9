"""What a run keeps of its evaluation: the answers behind its scores, from the same look at the test images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deit_core.data import Split, eval_batches
from deit_core.errors import RunError
from deit_core.events import RunFinished
from deit_core.layout import RunFiles
from deit_core.models import VisionTransformer, load_checkpoint, read_card, save_weights
from deit_core.run_files.prediction_file import KeptPredictions, read_predictions
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import evaluate, train
from deit_core.training.outputs import Keeper
from deit_core.training.predict import predict


def finished(spec: RunSpec, folder: Path) -> tuple[dict[str, float], KeptPredictions]:
    """The results of a run that is trained here, and its predictions."""
    *_, last = train(spec, run_dir=folder, num_threads=1)
    assert isinstance(last, RunFinished)
    return last.metrics, read_predictions(RunFiles(folder).predictions)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(logits.argmax(1) == labels))


def test_the_predictions_of_a_trio_are_those_behind_its_scores(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    for spec in replace(tiny_trio, {"optim.epochs": 1}).runs:
        metrics, kept = finished(spec, tmp_path / spec.name)
        card = read_card(tmp_path / spec.name)
        assert (len(kept.test), len(kept.val)) == (360, 288)
        assert (kept.facts.classes, kept.facts.epoch, kept.facts.data_hash) == (card.classes, 1, card.data_hash)
        assert accuracy(kept.test.logits, kept.test.labels) == pytest.approx(metrics["test_accuracy"], abs=1e-12)
        assert accuracy(kept.val.logits, kept.val.labels) == pytest.approx(card.metrics["val_accuracy"], abs=1e-12)
        model = load_checkpoint(tmp_path / spec.name)
        if not isinstance(model, VisionTransformer):
            assert kept.test.arrays.keys() == {"labels", "logits", "embedding_class"}
            read = model.classify(torch.from_numpy(kept.test.embedding_class).float())  # type: ignore[operator, arg-type]
            np.testing.assert_allclose(read.detach(), kept.test.logits, atol=0.02)
        elif not model.distilled:
            assert kept.test.arrays.keys() == {"labels", "logits", "embedding_class"}
        else:
            assert len(kept.test.arrays) == 6
            for head, layer in (("class", model.head), ("distillation", model.head_dist)):
                logits, embedding = kept.test.arrays[f"logits_{head}"], kept.test.arrays[f"embedding_{head}"]
                assert accuracy(logits, kept.test.labels) == pytest.approx(metrics[f"test_accuracy_{head}"], abs=1e-12)
                assert layer is not None
                read = layer(torch.from_numpy(embedding).float()).detach()
                np.testing.assert_allclose(read, logits, atol=0.02)
            both = (kept.test.arrays["logits_class"] + kept.test.arrays["logits_distillation"]) / 2
            np.testing.assert_array_equal(kept.test.logits, both)


def test_test_images_are_looked_at_once_and_a_lost_file_is_made_again(
    tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def counted(split: Split, device: torch.device, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        looks.append(len(split))
        return eval_batches(split, device, batch_size)

    with monkeypatch.context() as patched:
        patched.setattr("deit_core.training.evaluation.eval_batches", counted)
        _, kept = finished(tiny, tmp_path / "run")
    assert looks == [288, 288, 360, 288]  # two epochs, the test, and what the best epoch says of validation
    RunFiles(tmp_path / "run").predictions.unlink()
    done = []
    assert predict(tiny, run_dir=tmp_path / "run", on_progress=done.append, num_threads=1) == []
    again = read_predictions(RunFiles(tmp_path / "run").predictions)
    assert again.hash == kept.hash
    assert again.facts == kept.facts

    card = read_card(tmp_path / "run").model_copy(update={"data_hash": "of other images"})
    save_weights(RunFiles(tmp_path / "run").best, load_checkpoint(tmp_path / "run"), card)
    with pytest.raises(RunError, match="digits is not the data that this run learned from"):
        predict(tiny, run_dir=tmp_path / "run")


@pytest.fixture
def deit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(8, 4, 1, 3, embed_dim=16, depth=1, num_heads=2, distilled=True).eval()


@pytest.fixture
def split() -> Split:
    return Split(torch.randint(0, 256, (150, 1, 8, 8), dtype=torch.uint8), torch.arange(150) % 3)


# Of an image: a label of 8 bytes, three times 3 logits of 4 bytes, two embeddings of 16 numbers of 2 bytes.
@pytest.mark.parametrize(("most_bytes", "is_whole"), [(150 * 108, True), (150 * 108 - 1, False)])
def test_above_the_limit_logits_are_kept_alone(
    most_bytes: int, is_whole: bool, deit: VisionTransformer, split: Split
) -> None:
    keeper = Keeper(len(split), most_bytes)
    evaluate(deit, split, lambda pixels: pixels, torch.device("cpu"), "test", readers=[keeper])
    assert keeper.logits_alone != is_whole
    assert len(keeper.predictions.arrays) == (6 if is_whole else 2)
    assert keeper.predictions.labels.tolist() == split.labels.tolist()


def test_what_was_kept_before_memory_ran_out_is_forgotten(deit: VisionTransformer, split: Split) -> None:
    calls, keeper = [], Keeper(len(split))

    def normalize(pixels: Tensor) -> Tensor:
        calls.append(len(pixels))
        if len(calls) == 2:
            raise torch.OutOfMemoryError
        return pixels

    evaluate(deit, split, normalize, torch.device("cpu"), "test", readers=[keeper])
    assert calls == [128, 22, 64, 64, 22]
    assert keeper.predictions.labels.tolist() == split.labels.tolist()


def test_progress_is_told_and_may_end_the_evaluation(
    deit: VisionTransformer, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deit_core.data.sources.progress.EVERY_S", 0.0)
    told: list[tuple[str, int, int]] = []
    evaluate(
        *(deit, split, lambda pixels: pixels, torch.device("cpu"), "val"),
        on_progress=lambda reading: told.append((reading.what, reading.done, reading.total)),
    )
    assert told == [("Scoring the validation images", 128, 150), ("Scoring the validation images", 150, 150)]


def test_a_class_that_is_never_answered_is_said_at_the_end(tiny: RunSpec, tmp_path: Path) -> None:
    """With a learning rate of nearly nothing a model answers as its random weights do: with few of the ten classes."""
    spec = replace(tiny, {"optim.epochs": 1, "optim.lr": 1e-9, "optim.min_lr": 0.0})
    *_, last = train(spec, run_dir=tmp_path / "run", num_threads=1)
    assert isinstance(last, RunFinished)
    kept = read_predictions(RunFiles(tmp_path / "run").predictions).test
    missing = sorted(set(range(10)) - set(kept.logits.argmax(1).tolist()))
    assert missing
    assert last.note.startswith("It never answers ")
    assert str(missing[0]) in last.note
