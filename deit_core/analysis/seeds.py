"""Runs that differ only in the seed: mean, standard deviation, and the difference of distilled and plain runs.

Plain data: knows specs and numbers, not runs, curves or pages; loads no torch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from deit_core.analysis.comparison import mismatches
from deit_core.spec import RunSpec

Runs = Mapping[str, RunSpec]  # id -> spec

MIN_FOR_INTERVAL = 3


@dataclass(frozen=True)
class Sample:
    """The results of runs of several seeds, in the order of the runs."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        """The sample's standard deviation, with n - 1; None for a single value."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95% confidence interval of the mean; None for fewer than three values."""
        if self.sd is None or len(self.values) < MIN_FOR_INTERVAL:
            return None
        from scipy.special import stdtrit  # here, since no page needs it to paint

        half = float(stdtrit(len(self.values) - 1, 0.975)) * self.sd / math.sqrt(len(self.values))
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Pairing:
    """Two groups of runs that are compared, such as those that differ only in the distillation.

    `plain` and `distilled` are indices of groups, `pairs` the ids (plain, distilled) of the runs that share a seed.
    """

    plain: int
    distilled: int
    pairs: tuple[tuple[str, str], ...]


def seed_groups(ids: Sequence[str], runs: Runs) -> list[list[str]]:
    """The ids in groups of runs that are equal except for the seed and the words about them.

    Two runs that start from other runs, or learn from them, count as equal if those are equal. No group has a seed
    twice: a run that was trained again is in its own group.

    Args: runs: at least those of `ids` and, where known, the runs that they start or learn from.
    """
    groups: dict[tuple[object, int], dict[int, str]] = {}
    for run_id in ids:
        seed, recipe, again = runs[run_id].seed, _recipe(runs[run_id], runs), 0
        while seed in groups.setdefault((recipe, again), {}):
            again += 1
        groups[recipe, again][seed] = run_id
    return [list(group.values()) for group in groups.values()]


def distillation_pairings(groups: Sequence[Sequence[str]], runs: Runs) -> list[Pairing]:
    """Each distilled group with each plain group that it can be compared with fairly, where they share a seed."""
    pairings = [
        Pairing(first, second, tuple(_pairs(plain, distilled, runs)))
        for second, distilled in enumerate(groups)
        for first, plain in enumerate(groups)
        if runs[distilled[0]].distillation is not None and runs[plain[0]].distillation is None
    ]
    return [pairing for pairing in pairings if pairing.pairs]


def best_pairings(groups: Sequence[Sequence[str]], runs: Runs, validation: Mapping[str, float]) -> list[Pairing]:
    """The best plain group with the best distilled one, among groups with the same data, seeds and number of steps and
    models of one family, whatever else differs; nothing where there is one of each kind, and so no choice. The best has
    the highest mean on validation images.

    A recipe that holds the plain model back looks like a gain in a fair comparison, and not in this one.

    Args: validation: accuracy by id; a group with a run that has none is left out.
    """
    alike: dict[object, dict[bool, list[int]]] = {}
    for index, group in enumerate(groups):
        spec = runs[group[0]]
        if all(run_id in validation for run_id in group):
            seeds = frozenset(runs[run_id].seed for run_id in group)
            key = spec.data, seeds, round(spec.optim.epochs * spec.share_trained, 6), spec.model.family
            alike.setdefault(key, {}).setdefault(spec.distillation is not None, []).append(index)

    def mean(index: int) -> float:
        return fmean(validation[run_id] for run_id in groups[index])

    result = []
    for kinds in alike.values():
        if len(kinds) == 2 and sum(map(len, kinds.values())) > 2:
            first, second = max(kinds[False], key=mean), max(kinds[True], key=mean)
            by_seed = {runs[run_id].seed: run_id for run_id in groups[second]}
            pairs = tuple((run_id, by_seed[runs[run_id].seed]) for run_id in groups[first])
            result.append(Pairing(first, second, pairs))
    return result


def sampling_sd(accuracy: float, num_images: int) -> float:
    """The standard deviation of an accuracy from the random choice of its `num_images` test images."""
    return math.sqrt(accuracy * (1 - accuracy) / num_images)


def _pairs(plain: Sequence[str], distilled: Sequence[str], runs: Runs) -> Iterator[tuple[str, str]]:
    by_seed = {runs[run_id].seed: run_id for run_id in distilled}
    for run_id in plain:
        other = by_seed.get(runs[run_id].seed)
        if other is not None and not mismatches(runs[run_id], _alike_in_start(runs[other], runs[run_id], runs)):
            yield run_id, other


def _alike_in_start(spec: RunSpec, other: RunSpec, runs: Runs) -> RunSpec:
    """The spec, with the start of `other` if the two starts are equal, including their seeds."""
    start, others = runs.get(spec.initial_checkpoint), runs.get(other.initial_checkpoint)
    if start is None or others is None or start.seed != others.seed or _recipe(start, runs) != _recipe(others, runs):
        return spec
    return spec.with_changes(initial_checkpoint=other.initial_checkpoint)


def _recipe(spec: RunSpec, runs: Runs) -> Any:
    """All of a spec except the seed and the words, with the recipes of the runs it starts and learns from in place of
    their ids; equal for equal recipes.
    """
    start = runs.get(spec.initial_checkpoint)
    teacher = runs.get(spec.distillation.teacher) if spec.distillation is not None else None
    left_out: dict[str, Any] = dict.fromkeys(("name", "seed", "tags", "notes"), True)
    if start is not None:
        left_out["initial_checkpoint"] = True
    if teacher is not None:
        left_out["distillation"] = {"teacher"}
    return spec.model_dump_json(exclude=left_out), *(_recipe(run, runs) for run in (start, teacher) if run is not None)
