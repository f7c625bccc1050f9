"""Tables 2 and 3 of the DeiT paper, and the same rows of an experiment.

Plain data: knows specs and results, not runs or pages; loads no torch.

Source: Touvron et al. 2021 (arXiv:2012.12877). Accuracies are percentages of ImageNet's validation images.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deit_core.analysis.seeds import Runs, Sample, seed_groups
from deit_core.metrics import TEST_ACCURACY
from deit_core.spec import RunSpec


class TeacherRow(NamedTuple):
    """A row of table 2: a teacher, its accuracy, and that of DeiT-B taught by it, at 224 px and fine-tuned at 384."""

    teacher: str
    accuracy: float
    student: float
    student_384: float


PAPERS_TABLE_2 = (
    TeacherRow("DeiT-B, a transformer", 81.8, 81.9, 83.1),
    TeacherRow("RegNetY-4GF", 80.0, 82.7, 83.6),
    TeacherRow("RegNetY-8GF", 81.7, 82.7, 83.8),
    TeacherRow("RegNetY-12GF", 82.4, 83.1, 84.1),
    TeacherRow("RegNetY-16GF", 82.9, 83.1, 84.2),
)

PAPERS_STUDENTS = ("DeiT-Ti", "DeiT-S", "DeiT-B", "DeiT-B at 384 px")  # the columns of table 3

_NONE, _SOFT, _HARD, _TOKEN = "none", "soft", "hard", "hard with token"


class _Row(NamedTuple):
    title: str
    method: str
    score: str
    paper: tuple[float, ...]


_TABLE_3 = (
    _Row("No distillation", _NONE, TEST_ACCURACY, (72.2, 79.8, 81.8, 83.1)),
    _Row("Soft distillation", _SOFT, TEST_ACCURACY, (72.2, 79.8, 81.8, 83.2)),
    _Row("Hard distillation, no token", _HARD, TEST_ACCURACY, (74.3, 80.9, 83.0, 84.0)),
    _Row("With token: class head", _TOKEN, "test_accuracy_class", (73.9, 80.9, 83.0, 84.2)),
    _Row("With token: distillation head", _TOKEN, "test_accuracy_distillation", (74.6, 81.1, 83.1, 84.4)),
    _Row("With token: both, mean of logits", _TOKEN, TEST_ACCURACY, (74.5, 81.2, 83.4, 84.5)),
    _Row("With token: both, mean of probabilities", _TOKEN, "test_accuracy_mean_softmax", ()),
    _Row("With token: one head on both embeddings", _TOKEN, "test_accuracy_concat_embeddings", ()),
    _Row("With token: one head on their sum", _TOKEN, "test_accuracy_sum_embeddings", ()),
)


class MethodRow(NamedTuple):
    """A row of table 3: a way of distillation, what the experiment reached, and the paper's numbers or none."""

    title: str
    sample: Sample | None
    paper: tuple[float, ...]


def table_3(ids: Sequence[str], runs: Runs, results: Mapping[str, Mapping[str, float]]) -> list[MethodRow]:
    """The paper's table 3 of an experiment; empty where it does not have hard distillation with and without a token, or
    has two recipes of one way.

    Args:
        ids: its students that are finished.
        runs: at least those of `ids`, and their teachers.
        results: metrics by id.
    """
    groups = [group for group in seed_groups(ids, runs) if _method(runs[group[0]])]
    by_method = {_method(runs[group[0]]): group for group in groups}
    if len(by_method) < len(groups) or not {_HARD, _TOKEN} <= by_method.keys():
        return []
    rows = []
    for title, method, score, paper in _TABLE_3:
        group = by_method.get(method, [])
        values = tuple(results[run_id][score] for run_id in group if score in results[run_id])
        if values or paper:
            rows.append(MethodRow(title, Sample(values) if values else None, paper))
    return rows


def _method(spec: RunSpec) -> str:
    """Empty for a way that the table does not have."""
    if spec.distillation is None:
        return _NONE
    if spec.model.family == "vit" and spec.model.distilled:
        return _TOKEN if spec.distillation.kind == "hard" else ""
    return spec.distillation.kind
