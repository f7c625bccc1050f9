"""Late fusion by a trained head: it is a logistic regression, it is reported apart, and it is off by default."""

from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from deit_core.data import Split
from deit_core.errors import SpecError
from deit_core.events import RunFinished
from deit_core.models import VisionTransformer
from deit_core.spec import ExperimentSpec, replace
from deit_core.training import train
from deit_core.training.late_fusion import evaluate_trained_fusion, fit_head

NEW = {f"test_{name}_{fusion}_embeddings" for name in ("loss", "accuracy") for fusion in ("concat", "sum")}


@pytest.mark.parametrize("num_classes", [2, 5])
def test_the_head_is_scikit_learns(num_classes: int) -> None:
    torch.manual_seed(0)
    labels = torch.arange(300) % num_classes
    features = torch.randn(300, 12) + torch.randn(num_classes, 12)[labels]
    head = fit_head(features, labels, num_classes)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(features.numpy(), labels.numpy())
    expected = torch.from_numpy(theirs.predict_log_proba(features.numpy())).float()
    if num_classes > 2:  # for two classes it penalises one weight vector, and not two
        torch.testing.assert_close(head(features).log_softmax(-1), expected, atol=2e-3, rtol=1e-3)
    assert (head(features).argmax(-1) == expected.argmax(-1)).float().mean() > 0.99


@pytest.mark.usefixtures("teacher")
def test_it_is_reported_beside_the_heads_and_changes_nothing_else(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    deit = tiny_trio.runs[2]
    fused = replace(deit, {"distillation.trained_fusion": True})
    plain, with_fusion = (
        list(train(spec, run_dir=tmp_path / name))[-1] for name, spec in (("plain", deit), ("fused", fused))
    )
    assert isinstance(plain, RunFinished)
    assert isinstance(with_fusion, RunFinished)
    assert with_fusion.metrics.keys() - plain.metrics.keys() == NEW
    assert {name: with_fusion.metrics[name] for name in plain.metrics} == plain.metrics
    for name in ("test_accuracy_concat_embeddings", "test_accuracy_sum_embeddings"):
        assert with_fusion.metrics[name] > plain.metrics["test_accuracy"]  # after two epochs a fitted head is better


def test_where_memory_is_short_batches_become_smaller_and_the_scores_stay() -> None:
    torch.manual_seed(0)
    deit = VisionTransformer(8, 4, 1, 3, embed_dim=16, depth=1, num_heads=2, distilled=True).eval()
    split = Split(torch.randint(0, 256, (150, 1, 8, 8), dtype=torch.uint8), torch.arange(150) % 3)

    def score(largest: int) -> dict[str, float]:
        def normalize(pixels: torch.Tensor) -> torch.Tensor:
            if len(pixels) > largest:
                raise torch.OutOfMemoryError
            return pixels

        return evaluate_trained_fusion(deit, split, split, normalize, torch.device("cpu"), "test")

    assert score(largest=40) == pytest.approx(score(largest=1000), rel=1e-4)


@pytest.mark.parametrize("name", ["vit", "teacher"])
def test_without_two_tokens_it_is_refused(name: str, tiny_trio: ExperimentSpec) -> None:
    run = next(run for run in tiny_trio.runs if run.name == name)
    with pytest.raises(SpecError, match=r"set model\.distilled to true, or distillation\.trained_fusion to false"):
        replace(run, {"distillation": {"teacher": "x", "trained_fusion": True}})
