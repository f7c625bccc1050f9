"""The tables of a report: what groups of runs reached, paired differences, and a search. Markdown.

Knows runs and what the analysis says of them; nothing of files, or of how a run came about.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from deit_core.analysis import (
    PAPERS_STUDENTS,
    PAPERS_TABLE_2,
    TEACHER,
    MethodRow,
    Pairing,
    Sample,
    Variation,
    best_pairings,
    differences,
    distillation_pairings,
    seed_groups,
    share_words,
)
from deit_core.metrics import (
    BEST_EPOCH,
    BEST_VAL_ACCURACY,
    METRICS,
    NUM_PARAMS,
    TEST_ACCURACIES,
    TEST_ACCURACY,
    TRAIN_TIME_S,
)
from deit_core.results.closed_share import share_of_lead
from deit_core.results.experiment_results import experiment_results
from deit_core.results.markdown import table
from deit_core.runs import Run, Status
from deit_core.runs.condition import label
from deit_core.spec import RunSpec, file_name, listed_name
from deit_core.wording import duration

_WORDS = ("name", "tags", "notes")
_SCORES = (BEST_VAL_ACCURACY, *TEST_ACCURACIES)

Runs = Mapping[str, Run]  # all runs of the store, by id


def result_tables(runs: Sequence[Run], by_id: Runs) -> list[str]:
    """What completed runs reached, a row a group that differs in the seed alone; and the paired differences, if any."""
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    ids = seed_groups([run.id for run in runs], specs)
    groups = [[by_id[run_id] for run_id in group] for group in ids]
    pairings = distillation_pairings(ids, specs)
    results = _results(groups, by_id)
    tables = [results]
    if pairings:
        words = (
            "What distillation changed on test images, among runs with the same seed and otherwise the same settings:"
        )
        tables += [words, _paired(pairings, groups, by_id)]
    validation = {run.id: run.results[BEST_VAL_ACCURACY] for run in runs if BEST_VAL_ACCURACY in run.results}
    if best := best_pairings(ids, specs, validation):
        words = (
            "Best against best: of each kind the recipe with the highest mean on validation images, with the same "
            "data, seeds and number of steps:"
        )
        tables += [words, _paired(best, groups, by_id)]
    return tables


def experiment_tables(runs: Sequence[Run], by_id: Runs) -> list[str]:
    """Accuracy and gain by what varies between the runs, if that is one field or two; and the paper's tables beside."""
    found, methods = experiment_results(runs, by_id)
    if not found.axes:
        return []
    titles = [f"`{axis.path}`" if axis.path else "what is changed" for axis in found.axes]
    tables = [f"Test accuracy by {' and '.join(titles)}, without and with a teacher:", _by_place(found, titles)]
    if [axis.path for axis in found.axes] == [TEACHER]:
        head = ("Teacher", "Its accuracy, %", "DeiT-B, %", "DeiT-B at 384 px, %")
        rows = [(one.teacher, *(f"{number:.1f}" for number in one[1:])) for one in PAPERS_TABLE_2]
        tables += ["For comparison, table 2 of the DeiT paper (arXiv:2012.12877), on ImageNet:", table(head, rows)]
    if methods:
        tables += [
            "Ways of distillation, and table 3 of the DeiT paper (arXiv:2012.12877), on ImageNet:",
            _by_method(methods),
        ]
    return tables


def search_table(runs: Iterable[Run], by_id: Runs) -> str:
    """Every run of a search, the best on validation first. Shows no test number."""
    ranked = sorted(runs, key=lambda run: (-_rank(run), run.number))
    fields = _varying([run.spec for run in ranked], by_id, leave_out=_WORDS)
    head = ("Run", *_code(fields), _heading(BEST_VAL_ACCURACY), _heading(BEST_EPOCH), _heading(TRAIN_TIME_S), "State")
    rows = [
        (
            label(run),
            *cells,
            _percent(_sample([run], BEST_VAL_ACCURACY)),
            _best_epoch([run]),
            _training([run]),
            run.status,
        )
        for run, *cells in zip(ranked, *fields.values(), strict=True)
    ]
    return table(head, rows)


def _by_place(found: Variation, titles: Sequence[str]) -> str:
    head = (*titles, "Without, %", "With, %", "Teacher, %", "Gain, points", "95% interval")
    rows = []
    for row in found.rows:
        plain, taught = (point.accuracy if point else None for point in (row.plain, row.taught))
        gain, teacher = (row.taught.gain, row.taught.teacher) if row.taught else (None, None)
        points = Sample(tuple(100 * value for value in gain.values)) if gain else None
        rows.append(
            (
                *("–" if value is None else _value(value) for value in row.values),
                _percent(plain),
                _percent(taught),
                "–" if teacher is None else f"{100 * teacher:.2f}",
                "–" if points is None else _spread(points, "+.2f"),
                "{:+.2f} to {:+.2f}".format(*points.interval) if points and points.interval else "–",
            )
        )
    return table(head, rows)


def _by_method(methods: Sequence[MethodRow]) -> str:
    head = ("Way", "Test, %", *(f"{student}, %" for student in PAPERS_STUDENTS))
    none = ("–",) * len(PAPERS_STUDENTS)
    rows = [(row.title, _percent(row.sample), *([f"{number:.1f}" for number in row.paper] or none)) for row in methods]
    return table(head, rows)


def _name(group: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(listed_name(run.spec) for run in group))


def _results(groups: Sequence[Sequence[Run]], by_id: Runs) -> str:
    fields = _varying([group[0].spec for group in groups], by_id, leave_out=(*_WORDS, "seed"))
    measured = {metric for group in groups for run in group for metric in run.results}
    scores = [score for score in _SCORES if score in measured]
    head = ("Run", *_code(fields), *map(_heading, (NUM_PARAMS, *scores, BEST_EPOCH, TRAIN_TIME_S)), "Seeds")
    rows = [
        (
            _name(group),
            *cells,
            f"{group[0].results[NUM_PARAMS]:,.0f}" if NUM_PARAMS in group[0].results else "–",
            *(_percent(_sample(group, score)) for score in scores),
            _best_epoch(group),
            _training(group),
            ", ".join(str(run.spec.seed) for run in group),
        )
        for group, *cells in zip(groups, *fields.values(), strict=True)
    ]
    return table(head, rows)


def _heading(metric: str) -> str:
    heading = METRICS[metric].heading
    return f"{heading}, %" if metric in (BEST_VAL_ACCURACY, TEST_ACCURACY) else heading


def _rank(run: Run) -> float:
    """Of its validation; last of all where it has none."""
    accuracy = run.results.get(BEST_VAL_ACCURACY)
    return -math.inf if accuracy is None else METRICS[BEST_VAL_ACCURACY].rank(accuracy)


def _paired(pairings: Sequence[Pairing], groups: Sequence[Sequence[Run]], by_id: Runs) -> str:
    fields = _varying([groups[one.distilled][0].spec for one in pairings], by_id, leave_out=(*_WORDS, "seed"))
    head = (
        *("Run", "Less", *_code(fields), "Difference, points", "n", "95% interval", "Pair by pair"),
        "Share of the teacher's lead closed",
    )
    rows = []
    for pairing, *cells in zip(pairings, *fields.values(), strict=True):
        scores = [[by_id[run_id].results[TEST_ACCURACY] for run_id in pair] for pair in pairing.pairs]
        gain = Sample(tuple(100 * (distilled - plain) for plain, distilled in scores))
        names = _name(groups[pairing.distilled]), _name(groups[pairing.plain])
        each = ", ".join(f"{value:+.2f}" for value in gain.values)
        interval = "{:+.2f} to {:+.2f}".format(*gain.interval) if gain.interval else "–"
        closed = share_words(share_of_lead(pairing, by_id))
        rows.append((*names, *cells, _spread(gain, "+.2f"), str(len(gain.values)), interval, each, closed))
    return table(head, rows)


def _varying(specs: Sequence[RunSpec], by_id: Runs, leave_out: Sequence[str]) -> dict[str, list[str]]:
    """Cells of the fields that tell the specs apart, by path.

    Two families of models differ in all of their fields, and a plain ViT has no distillation: a field tells apart only
    where it does so among models of one family, and one of distillation only among those that have it.
    """
    rows: dict[str, list[str]] = {}
    for difference in differences(specs):
        path, values = difference.path, difference.values
        needs_teacher = path == "model.distilled" or (path != "distillation.kind" and path.startswith("distillation."))
        seen: dict[str, set[Any]] = {}
        for spec, value in zip(specs, values, strict=True):
            if spec.distillation is not None or not needs_teacher:
                seen.setdefault(spec.model.family, set()).add(value)
        if path not in leave_out and any(len(several) > 1 for several in seen.values()):
            rows[path] = [_cell(value, by_id) for value in values]
    return rows


def _code(paths: Iterable[str]) -> list[str]:
    return [f"`{path}`" for path in paths]


def _cell(value: Any, by_id: Runs) -> str:
    if value is None or value in ("", ()):
        return "–"
    if isinstance(value, str) and value in by_id:
        return label(by_id[value])
    if isinstance(value, str):
        return file_name(value)  # where it is on one machine says nothing on another
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sample(group: Iterable[Run], metric: str) -> Sample | None:
    values = tuple(run.results[metric] for run in group if metric in run.results)
    return Sample(values) if values else None


def _percent(sample: Sample | None) -> str:
    return "–" if sample is None else _spread(Sample(tuple(100 * value for value in sample.values)), ".2f")


def _spread(sample: Sample, form: str) -> str:
    return f"{sample.mean:{form}}" + ("" if sample.sd is None else f" ± {sample.sd:.2f}")


def _best_epoch(group: Sequence[Run]) -> str:
    """Of each run, or of all where they agree; and of how many."""
    best = [f"{run.results[BEST_EPOCH]:.0f}" if BEST_EPOCH in run.results else "–" for run in group]
    return f"{best[0] if len(set(best)) == 1 else ', '.join(best)} of {group[0].spec.optim.epochs}"


def _training(group: Iterable[Run]) -> str:
    times = [run.results[TRAIN_TIME_S] for run in group if run.status == Status.COMPLETED]
    return duration(fmean(times)) if times else "–"
