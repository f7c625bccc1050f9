"""What the finished runs of an experiment gave, by what varies between them.

Knows runs; `deit_core.analysis` computes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from deit_core.analysis import MethodRow, Variation, students, table_3, variation
from deit_core.metrics import TEST_ACCURACY
from deit_core.runs import Run, Status


class ExperimentResults(NamedTuple):
    """`methods` is table 3 of the DeiT paper, empty where the experiment does not compare the ways of distillation."""

    variation: Variation
    methods: list[MethodRow]


def experiment_results(runs: Sequence[Run], by_id: Mapping[str, Run], score: str = TEST_ACCURACY) -> ExperimentResults:
    """Args:
    runs: of the experiment, in its order.
    by_id: all runs of the store.
    score: the accuracy that counts. Table 3 is on test images alone.
    """
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    done = {run.id: run.results for run in by_id.values() if run.status == Status.COMPLETED and score in run.results}
    accuracies = {run_id: results[score] for run_id, results in done.items()}
    ids = [run.id for run in runs]
    finished = [run_id for run_id in students(ids, specs) if run_id in done]
    methods = table_3(finished, specs, done) if score == TEST_ACCURACY else []
    return ExperimentResults(variation(ids, specs, accuracies), methods)
