"""What heads and tokens tell about distillation, against a case counted by hand and against the model itself."""

import math
from pathlib import Path

import pytest
import torch

from deit_core.data import Split
from deit_core.events import EpochDone
from deit_core.metrics import token_cosine
from deit_core.models import VisionTransformer
from deit_core.spec import ExperimentSpec
from deit_core.training import evaluate, train
from deit_core.training.head_measures import HeadMeasures
from deit_core.training.outputs import Outputs, outputs

CPU = torch.device("cpu")


def a_deit() -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(8, 4, 1, 3, embed_dim=16, depth=2, num_heads=2, distilled=True).eval()
    torch.nn.init.normal_(model.head.weight)
    assert model.head_dist is not None
    torch.nn.init.normal_(model.head_dist.weight)
    return model


def test_two_batches_counted_by_hand() -> None:
    even, sure = [0.0, 0.0], [100.0, 0.0]
    measures = HeadMeasures(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))  # decides 0, 1, 0
    across, along = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    for class_logits, distillation_logits, pair in (
        ([sure, sure], [sure, [0.0, 1.0]], (across.expand(2, 2), along.expand(2, 2))),
        ([even], [[0.0, 3.0]], (across, across * 5)),
    ):
        heads = {"class": torch.tensor(class_logits), "distillation": torch.tensor(distillation_logits)}
        heads["mean"] = (heads["class"] + heads["distillation"]) / 2
        measures.read(Outputs(heads, {}, [pair]), torch.zeros(len(class_logits)))
    found = measures.means()
    assert found["val_agreement_class"] == pytest.approx(2 / 3), "0 0 0 against 0 1 0; of equal ones the first"
    assert found["val_agreement_distillation"] == pytest.approx(2 / 3), "0 1 1 against 0 1 0"
    assert found["val_agreement"] == pytest.approx(1 / 3), "0 0 1 against 0 1 0"
    assert found["val_heads_agree"] == pytest.approx(1 / 3)
    assert found["val_entropy_class"] == pytest.approx(math.log(2) / 3)
    assert found[token_cosine(0)] == pytest.approx(1 / 3), "0, 0 and 1"


def test_the_tokens_are_those_of_the_model_and_an_evaluation_scores_as_without() -> None:
    deit, images = a_deit(), torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        tokens, _ = deit.forward_features(images)
        found = outputs(deit, images)
    assert len(found.token_pairs) == 3, "the input and two blocks"
    for index, token in enumerate(found.token_pairs[-1]):
        torch.testing.assert_close(deit.norm(token), tokens[:, index])
    assert deit.dist_token is not None
    torch.testing.assert_close(found.token_pairs[0][1][3], deit.dist_token[0, 0] + deit.pos_embed[0, 1])
    split = Split(torch.randint(0, 256, (150, 1, 8, 8), dtype=torch.uint8), torch.arange(150) % 3)
    measures = HeadMeasures(None)
    plain = evaluate(deit, split, lambda pixels: pixels, CPU, "val")
    assert evaluate(deit, split, lambda pixels: pixels, CPU, "val", readers=[measures]) == plain
    assert not [name for name in measures.means() if "agreement" in name], "there is no teacher"


def test_an_evaluation_that_begins_again_counts_each_image_once() -> None:
    measures = HeadMeasures(torch.zeros(2, 3))
    heads = {"mean": torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])}
    measures.read(Outputs(heads, {}), torch.zeros(2))
    measures.start()
    measures.read(Outputs(heads, {}), torch.zeros(2))
    assert measures.means()["val_agreement"] == 0.5


def test_each_epoch_of_a_run_has_them(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    names = {}
    for spec in tiny_trio.runs:
        epochs = [event.metrics for event in train(spec, run_dir=tmp_path / spec.name) if isinstance(event, EpochDone)]
        names[spec.name] = {name for name in epochs[-1] if "agree" in name or "entropy" in name or "cosine" in name}
        assert all(metrics.keys() == epochs[0].keys() for metrics in epochs)
    assert names["teacher"] == names["vit"] == {"val_entropy"}
    heads = {f"val_{what}{head}" for what in ("entropy", "agreement") for head in ("", "_class", "_distillation")}
    depth = {token_cosine(block) for block in range(tiny_trio.runs[-1].model.depth + 1)}  # type: ignore[union-attr]
    assert names["deit"] == heads | depth | {"val_heads_agree"} | {"train_agreement"}
