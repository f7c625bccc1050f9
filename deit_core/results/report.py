"""The page of results as Markdown: a section an experiment, what was searched, what did not end well.

Knows the store and which runs belong together; result_tables.py and provenance.py give the numbers.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from deit_core.errors import RunError
from deit_core.files import write_atomically
from deit_core.image_folders.facts import title_of
from deit_core.metrics import TEST_ACCURACY
from deit_core.plain_text import file_name
from deit_core.results.markdown import code, code_block, plain
from deit_core.results.model_card import role
from deit_core.results.provenance import chance, command, facts
from deit_core.results.result_tables import Runs, experiment_tables, result_tables, search_table
from deit_core.runs import Experiment, Run, RunReader, Status, UnreadableRun
from deit_core.spec import SEARCH_TAG, AnySpec, without_places
from deit_core.text.quoting import quoted

_INTRODUCTION = """
`python -m deit_core report` writes this page from the runs themselves; a change made by hand is lost. Accuracies are
percentages of images, differences percentage points. Test images are looked at once, by the weights of the epoch that
was best on validation images. A ± B is mean and standard deviation (n - 1) over runs that differ in their seed alone,
which share their teacher; a difference is taken between runs of the same seed, its interval is Student's 95% one.
"Test" is what the model answers: of two heads, the mean of their logits.
"""


class _Commands:
    """The commands of a page, and the specs they read that no preset gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[Path, AnySpec] = {}

    def of(self, spec: AnySpec, id: str) -> str:
        """The command that trains a spec again; `id` keeps its file apart from others."""
        spec = without_places(spec)
        if (text := command(spec)) is not None:
            return text
        file = self.folder / f"{file_name(spec.name)}-{id}.json"
        self.files[file] = spec
        return shlex.join(["python", "-m", "deit_core", "train", str(file)])


def write_report(store: RunReader, runs_dir: Path, out: Path, names: Sequence[str] = ()) -> list[Path]:
    """Write the page on experiments, and beside it, in a folder of its name, each spec that no preset gives.

    Args:
        runs_dir: where the folders of the runs are.
        out: the page.
        names: names of experiments, or beginnings of their ids, in the order of the page; by default all, and then the
            runs that belong to none.
    Returns: the files.
    Raises: RunError for an experiment that is not in the store.
    """
    by_id = {run.id: run for run in reversed(store.runs())}
    chosen = _choose(store.experiments(), names)
    commands = _Commands(out.with_suffix(""))
    sections: list[str] = []
    searched: list[Run] = []
    search: list[str] = []
    for experiment in chosen:
        runs = [run for run in by_id.values() if run.experiment_id == experiment.id]
        again = [commands.of(experiment.spec, experiment.id)] if experiment.spec and runs else []
        if matches := _searched(runs):
            searched, search = searched + matches, search + again
        is_alone = [one.name for one in chosen].count(experiment.name) == 1
        title = experiment.name if is_alone else f"{experiment.name} ({experiment.id})"
        sections += _section(title, experiment.description, again, runs, by_id, runs_dir)
    if not names:
        alone = [run for run in by_id.values() if run.experiment_id is None]
        again = [commands.of(run.spec, run.id) for run in _shown(alone)]
        searched += (matches := _searched(alone))
        search += [commands.of(run.spec, run.id) for run in matches]
        sections += _section("Single runs", "Runs that belong to no experiment.", again, alone, by_id, runs_dir)
        sections += _unreadable(store.unreadable())
    sections += _search(searched, search, by_id)
    text = "\n\n".join(["# Results", _INTRODUCTION.strip(), *sections]) + "\n"
    for file, spec in commands.files.items():
        write_atomically(file, (spec.model_dump_json(indent=2) + "\n").encode())
    write_atomically(out, text.encode())
    return [out, *commands.files]


def _choose(experiments: Sequence[Experiment], names: Sequence[str]) -> list[Experiment]:
    chosen: dict[str, Experiment] = {}
    for name in names:
        meant = [one for one in experiments if one.name == name or one.id.startswith(name)]
        if not meant:
            raise RunError(f"There is no experiment {quoted(name)}; `python -m deit_core runs` lists them.")
        chosen |= {one.id: one for one in meant}
    return list(chosen.values()) if names else list(experiments)


def _shown(runs: Sequence[Run]) -> list[Run]:
    """The runs that a section of their own is about."""
    return [run for run in runs if SEARCH_TAG not in run.spec.tags]


def _searched(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if SEARCH_TAG in run.spec.tags]


def _section(
    title: str, description: str, commands: Sequence[str], runs: Sequence[Run], by_id: Runs, runs_dir: Path
) -> Iterator[str]:
    """An experiment: its numbers, where they come from, and its runs that have none. Nothing for one without runs."""
    shown = _shown(runs)
    if not shown:
        return
    yield f"## {plain(title)}"
    yield plain(description)
    yield code_block(commands) or "The command was not recorded."
    done = [run for run in shown if _has_results(run)]
    if done:
        yield "\n".join(f"- {plain(fact)}" for fact in (*facts(done, by_id, runs_dir), chance(done)) if fact)
        yield from result_tables(done, by_id)
        yield from experiment_tables(done, by_id)
    if undone := [run for run in shown if not _has_results(run)]:
        yield "Not completed:"
        yield "\n".join(f"- {_end(run)}" for run in undone)


def _has_results(run: Run) -> bool:
    return run.status == Status.COMPLETED and TEST_ACCURACY in run.results


def _end(run: Run) -> str:
    words = f"{code(run.name)} (run {run.number}) is {run.status}, after {run.epoch} of {run.spec.optim.epochs} epochs"
    return f"{words}: {plain(run.message)}" if run.message else f"{words}."


def _search(runs: Sequence[Run], commands: Sequence[str], by_id: Runs) -> Iterator[str]:
    if not runs:
        return
    yield "## Search"
    yield (
        f"Every run that is tagged `{SEARCH_TAG}`, the best first, with the fields in which they differ. Recipes are "
        "chosen by these validation accuracies; what these runs reached on test images is not looked at. "
        "`python -m deit_core show` has all of a run."
    )
    kinds: dict[str, list[Run]] = {}
    for run in runs:
        what = "CNN" if role(run.spec) == "teacher" else role(run.spec)
        kinds.setdefault(f"{what} on {title_of(run.spec.data)}", []).append(run)
    for title, of_a_kind in kinds.items():
        yield f"### {plain(title)}"
        yield search_table(of_a_kind, by_id)
    if commands:
        yield "### Commands of the search"
        yield code_block(commands)


def _unreadable(runs: Sequence[UnreadableRun]) -> Iterator[str]:
    if runs:
        yield "## Runs that cannot be read"
        yield "\n".join(f"- {plain(f'Run {run.number}: {run.reason}.')}" for run in runs)
