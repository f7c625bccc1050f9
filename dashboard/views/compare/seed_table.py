"""The Compare page on the effect of distillation, and on runs of several seeds: mean and standard deviation.

Text for markdown is escaped here where it is put together. Knows runs; no widgets.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dashboard.run_status import label
from dashboard.text import escape
from deit_core.analysis import Pairing, Sample, best_pairings, distillation_pairings, seed_groups, share_words
from deit_core.metrics import BEST_VAL_ACCURACY, METRICS, TEST_ACCURACY
from deit_core.results.closed_share import share_of_lead
from deit_core.runs import Run
from deit_core.spec import listed_name

Runs = Mapping[str, Run]  # all runs of the store, by id

_SCORES = (TEST_ACCURACY, "test_accuracy_class", "test_accuracy_distillation", BEST_VAL_ACCURACY)


class OverSeeds(NamedTuple):
    """Tables with one row per group of runs that differ only in the seed, and one row per pair of such groups that
    differ only in the distillation. The first is empty where no group has two runs. `best` is as `differences`, for the
    recipes of each kind that are best on validation images.
    """

    groups: list[dict[str, str]]
    differences: list[dict[str, str]]
    best: list[dict[str, str]]


def over_seeds(chosen: Sequence[Run], by_id: Runs) -> OverSeeds:
    """The tables of the finished runs."""
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    ids = seed_groups([run.id for run in chosen if TEST_ACCURACY in run.results], specs)
    groups = [[by_id[run_id] for run_id in group] for group in ids]
    scores = [score for score in _SCORES if any(score in run.results for group in groups for run in group)]
    rows = [
        {"Runs": _name(group), "Seeds": ", ".join(str(run.spec.seed) for run in group)}
        | {METRICS[score].title: _mean(group, score) for score in scores}
        for group in groups
    ]
    pairings = distillation_pairings(ids, specs)
    has_seeds = any(len(group) > 1 for group in groups)
    validation = {
        run.id: run.results[BEST_VAL_ACCURACY] for group in groups for run in group if BEST_VAL_ACCURACY in run.results
    }
    tables = [
        [_difference(pairing, groups, by_id) for pairing in each]
        for each in (pairings, best_pairings(ids, specs, validation))
    ]
    return OverSeeds(rows if has_seeds else [], *tables)


def other_seeds(chosen: Sequence[Run], runs: Sequence[Run]) -> list[Run]:
    """The finished runs of the store that differ from a chosen one only in the seed, the oldest first."""
    specs = {run.id: run.spec for run in runs}
    finished = [run.id for run in reversed(runs) if TEST_ACCURACY in run.results]
    ids = {run.id for run in chosen}
    others = {other for group in seed_groups(finished, specs) if ids & set(group) for other in group} - ids
    return [run for run in reversed(runs) if run.id in others]


def counterparts(first: Run, others: Sequence[Run], by_id: Runs) -> list[tuple[Run, Run]]:
    """Each other run with its partner: the run of the first's group with the same seed, else the first itself.

    Runs of the first's own group are not compared: they are the same training with another seed.
    """
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    ids = seed_groups([first.id, *(run.id for run in others)], specs)[0]
    by_seed = {by_id[run_id].spec.seed: by_id[run_id] for run_id in ids}
    return [(by_seed.get(run.spec.seed, first), run) for run in others if run.id not in ids]


def _difference(pairing: Pairing, groups: Sequence[Sequence[Run]], by_id: Runs) -> dict[str, str]:
    pairs = [[100 * by_id[run_id].results[TEST_ACCURACY] for run_id in pair] for pair in pairing.pairs]
    gain = Sample(tuple(distilled - plain for plain, distilled in pairs))
    sd = "" if gain.sd is None else f" ± {gain.sd:.2f}"
    return {
        "Difference on test": f"{_name(groups[pairing.distilled])} minus {_name(groups[pairing.plain])}",
        "Points": escape(_signed(gain.mean) + sd),
        "Pairs": str(len(gain.values)),
        "95% interval over seeds": escape(" to ".join(map(_signed, gain.interval))) if gain.interval else "–",
        "Each pair": escape(", ".join(map(_signed, gain.values))),
        "Share of the teacher's lead closed": escape(share_words(share_of_lead(pairing, by_id)).replace("-", "−")),
    }


def _name(group: Sequence[Run]) -> str:
    if len(group) == 1:
        return escape(label(group[0]))
    names = dict.fromkeys(listed_name(run.spec) for run in group)
    return escape(f"{', '.join(names)} ({', '.join('demo' if run.is_demo else str(run.number) for run in group)})")


def _mean(group: Sequence[Run], score: str) -> str:
    values = tuple(100 * run.results[score] for run in group if score in run.results)
    if not values:
        return "–"
    sample = Sample(values)
    return f"{sample.mean:.2f}%" if sample.sd is None else f"{sample.mean:.2f} ± {sample.sd:.2f}%"


def _signed(points: float) -> str:
    return f"{points:+.2f}".replace("-", "−")
