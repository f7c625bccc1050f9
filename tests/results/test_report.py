"""The page of results: its numbers are those of the store, each with its provenance, and nothing is hidden."""

import re
import shlex
import statistics
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.cli.options import read_spec
from deit_core.errors import RunError
from deit_core.results import write_report
from deit_core.runs import Run, RunUpdate, Status, Store, enqueue, open_store, schema
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import AnySpec, ExperimentSpec, load_spec, replace

Table = list[dict[str, str]]


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def tables(text: str) -> list[Table]:
    """The tables of a page: a dictionary a row, by the titles of the columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split(" | ")] for line in block.splitlines())
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def percent(values: list[float]) -> str:
    return f"{100 * statistics.fmean(values):.2f} ± {100 * statistics.stdev(values):.2f}"


def finish(store: Store, spec: AnySpec, **accuracy: float) -> dict[str, Run]:
    """Runs as if they had been trained, by name, each with a test accuracy of its own."""
    runs = {}
    for index, run_id in enumerate(enqueue(store, spec)):
        name = store.run(run_id).name
        test = accuracy.get(name, 0.8 + index / 100)
        results = {"best_val_accuracy": test + 0.001, "test_accuracy": test, "best_epoch": 2, "num_params": 1234}
        update = RunUpdate(step=20, epoch=3, results=results | {"train_time_s": 60.0})
        store.set_status(run_id, Status.COMPLETED, update=update)
        runs[name] = store.run(run_id)
    return runs


def page(store: Store, settings: Settings, tmp_path: Path, *names: str) -> str:
    out = tmp_path / "results.md"
    assert write_report(store, settings.runs_dir, out, names)[0] == out
    return out.read_text()


def test_a_page_of_real_runs_has_the_numbers_of_the_store(
    store: Store, settings: Settings, tiny_trio: ExperimentSpec, tmp_path: Path
) -> None:
    trained, mistake = train_here(store, settings, replace(tiny_trio, {"seeds": 2, "optim.epochs": 1}), lambda *_: None)
    assert mistake is None
    runs = {run.name: run.results for run in trained}
    text = page(store, settings, tmp_path)
    results, paired = tables(text)
    assert [row["Run"] for row in results] == ["teacher", "vit", "deit"]
    assert results[0]["Test, %"] == f"{100 * runs['teacher']['test_accuracy']:.2f}"
    for row in results[1:]:
        for title, metric in (("Test, %", "test_accuracy"), ("Val. best, %", "best_val_accuracy")):
            assert row[title] == percent([runs[row["Run"]][metric], runs[f"{row['Run']}-s43"][metric]])
    assert results[1]["Class head"] == "–"
    for title, head in (("Class head", "class"), ("Distillation head", "distillation")):
        assert results[2][title] == percent([runs[name][f"test_accuracy_{head}"] for name in ("deit", "deit-s43")])
    gains = [100 * (runs["deit" + end]["test_accuracy"] - runs["vit" + end]["test_accuracy"]) for end in ("", "-s43")]
    (row,) = paired
    assert (row["Run"], row["Less"], row["n"], row["95% interval"]) == ("deit", "vit", "2", "–")
    assert row["Difference, points"] == f"{statistics.fmean(gains):+.2f} ± {statistics.stdev(gains):.2f}"
    assert row["Pair by pair"] == ", ".join(f"{gain:+.2f}" for gain in gains)

    facts = " ".join(text.split())
    assert "Precision: float32." in facts
    assert re.search(r"Machine: \d+ cores of .+ GiB, ", facts)
    assert re.search(r"Software: python [\d.]+, .*torch 2", facts)
    assert "Digits, 1,149 training, 288 validation, 360 test images." in facts
    assert "--set seeds=2" in text
    assert "not recorded" not in text


@pytest.mark.parametrize(
    ("teacher", "closed"), [(0.95, "21% (18% to 26%)"), (0.81, "none, as the teacher is not better")]
)
def test_a_difference_has_the_share_of_the_teachers_lead_beside_it(
    store: Store, settings: Settings, tmp_path: Path, teacher: float, closed: str
) -> None:
    """Gains of 3 points; leads of 15, 14 and 13. By Fieller, with t(2)^2 / 3 = 6.171: (42 -+ sqrt(42^2 - 189.83 * 9))
    / 189.83.
    """
    scores = {"vit": 0.80, "vit-s43": 0.81, "vit-s44": 0.82, "deit": 0.83, "deit-s43": 0.84, "deit-s44": 0.85}
    finish(store, replace(presets.digits_quick(), {"seeds": 3}), teacher=teacher, **scores)
    _, (row,) = tables(page(store, settings, tmp_path))
    assert row["Difference, points"] == "+3.00 ± 0.00"
    assert row["Share of the teacher's lead closed"] == closed


def test_best_against_best_is_chosen_on_validation(store: Store, settings: Settings, tmp_path: Path) -> None:
    teacher, vit, deit = presets.digits_quick().runs
    other = replace(vit, {"name": "vit-fast", "optim.lr": 4e-3})
    scores = {"teacher": 0.99, "vit": 0.80, "vit-fast": 0.85, "deit": 0.86}
    finish(store, ExperimentSpec(name="best", runs=(teacher, vit, other, deit)), **scores)
    _, (fair,), (best,), _ = tables(page(store, settings, tmp_path))
    assert (fair["Less"], fair["Difference, points"]) == ("vit", "+6.00")
    assert (best["Run"], best["Less"], best["Difference, points"]) == ("deit", "vit-fast", "+1.00")
    assert best["Share of the teacher's lead closed"] == "7% (an interval needs 3 seeds)"


def test_the_command_on_the_page_trains_the_same_again(store: Store, settings: Settings, tmp_path: Path) -> None:
    spec = replace(presets.digits_quick(), {"seeds": 2, "vit.optim.lr": 1e-3, "model.depth": 2, "name": "it's mine"})
    finish(store, spec)
    (line,) = re.findall(r"^    python -m deit_core train (.+)$", page(store, settings, tmp_path), re.MULTILINE)
    preset, *words = shlex.split(line)
    assert read_spec(preset, words[1::2]) == spec


def test_a_spec_of_no_preset_lies_beside_the_page(store: Store, settings: Settings, tmp_path: Path) -> None:
    spec = ExperimentSpec(name="a b", runs=presets.digits_quick().runs[:2])
    finish(store, spec)
    (file,) = (tmp_path / "results").iterdir() if page(store, settings, tmp_path) else ()
    assert load_spec(file.read_bytes()) == spec
    assert f"python -m deit_core train {file}" in (tmp_path / "results.md").read_text()


def test_columns_are_the_fields_that_vary(store: Store, settings: Settings, tmp_path: Path) -> None:
    teacher, vit, deit = presets.digits_quick().runs
    runs = [teacher]
    for share in (0.1, 1.0):
        runs += [replace(run, {"name": f"{run.name} {share:.0%}", "optim.epochs": 20 / share}) for run in (vit, deit)]  # type: ignore[misc]
    finish(store, ExperimentSpec(name="epochs", runs=tuple(runs), seeds=3))
    results, paired, by_epochs = tables(page(store, settings, tmp_path))
    columns = [title for title in results[0] if title.startswith("`")]
    assert columns == ["`distillation.kind`", "`optim.epochs`"]
    assert [row["`optim.epochs`"] for row in results] == ["8", "200", "200", "20", "20"]
    assert [(row["Run"], row["Less"], row["`optim.epochs`"], row["n"]) for row in paired] == [
        ("deit 10%", "vit 10%", "200", "3"),
        ("deit 100%", "vit 100%", "20", "3"),
    ]
    assert all(" to " in row["95% interval"] for row in paired)
    assert [row["`optim.epochs`"] for row in by_epochs] == ["20", "200"]
    for row, other in zip(by_epochs, reversed(paired), strict=True):
        assert (row["Gain, points"], row["95% interval"]) == (other["Difference, points"], other["95% interval"])


def test_the_papers_tables_stand_beside_those_of_an_experiment(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    finish(store, presets.get("table-3"), teacher=0.98, vit=0.7, soft=0.72, hard=0.74, deit=0.76)
    finish(store, presets.get("table-2"), **{"cnn": 0.94, "transformer": 0.95, "vit": 0.7, "deit-cnn": 0.8})
    *_, by_kind, by_way = tables(page(store, settings, tmp_path, "table-3"))
    assert [(row["`model.distilled`"], row["`distillation.kind`"], row["Gain, points"]) for row in by_kind] == [
        ("off", "soft", "+2.00"),
        ("off", "hard", "+4.00"),
        ("on", "hard", "+6.00"),
    ]
    assert [row["Test, %"] for row in by_way] == ["70.00", "72.00", "74.00", "–", "–", "76.00"]
    assert [row["DeiT-Ti, %"] for row in by_way] == ["72.2", "72.2", "74.3", "73.9", "74.6", "74.5"]
    *_, by_teacher, paper = tables(page(store, settings, tmp_path, "table-2"))
    assert [(row["`distillation.teacher`"], row["Teacher, %"]) for row in by_teacher] == [
        ("cnn", "94.00"),
        ("transformer", "95.00"),
    ]
    assert [row["DeiT-B, %"] for row in paper] == ["81.9", "82.7", "82.7", "83.1", "83.1"]


def test_an_experiment_that_varies_nothing_has_no_table_of_it(store: Store, settings: Settings, tmp_path: Path) -> None:
    finish(store, replace(presets.digits_quick(), {"seeds": 2}))
    assert "without and with a teacher" not in page(store, settings, tmp_path)


def test_a_search_shows_validation_alone(store: Store, settings: Settings, tmp_path: Path) -> None:
    for rate, accuracy in ((1e-3, 0.5123), (2e-3, 0.7123), (4e-3, 0.6123)):
        finish(store, replace(presets.smoke(), {"optim.lr": rate, "tags": ["search"]}), smoke=accuracy)
    shown = finish(store, replace(presets.digits_quick(), {"vit.tags": ["search"]}), vit=0.4123)
    text = page(store, settings, tmp_path)
    results, search = tables(text)
    assert [row["Run"] for row in results] == ["teacher", "deit"]
    assert [row["`optim.lr`"] for row in search] == ["0.002", "0.004", "0.001", "0.002"]
    assert [row["Val. best, %"] for row in search] == ["71.33", "61.33", "51.33", "41.33"]
    for accuracy in ("51.23", "71.23", "61.23", "41.23"):
        assert accuracy not in text
    assert f"{100 * shown['deit'].results['test_accuracy']:.2f}" in text
    commands = text.split("### Commands of the search")[1]
    assert commands.count("python -m deit_core train smoke --set ") == 3
    assert "train digits-quick --set 'vit.tags=[\"search\"]'" in commands


def test_a_run_that_did_not_end_well_is_named(store: Store, settings: Settings, tmp_path: Path) -> None:
    runs = finish(store, replace(presets.digits_quick(), {"seeds": 2}))
    store.set_status(runs["deit-s43"].id, Status.FAILED, "The loss was no longer a finite number | at step 7.")
    store.set_status(runs["vit-s43"].id, Status.STOPPED, "Stopped.")
    text = page(store, settings, tmp_path)
    assert "`deit-s43` (run 5) is failed, after 3 of 20 epochs: The loss was no longer a finite number \\| at" in text
    assert "`vit-s43` (run 4) is stopped" in text
    results, paired = tables(text)
    assert [row["Seeds"] for row in results] == ["42", "42", "42"]
    assert "±" not in str(results)
    assert paired[0]["n"] == "1"


def test_experiments_are_chosen_by_name_in_the_order_asked_for(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    finish(store, presets.digits_quick())
    finish(store, replace(presets.digits_quick(), {"name": "second"}))
    finish(store, presets.smoke())
    headings = re.compile(r"^## (.+)$", re.MULTILINE)
    assert headings.findall(page(store, settings, tmp_path)) == ["digits-quick", "second", "Single runs"]
    assert headings.findall(page(store, settings, tmp_path, "second", "digits-quick")) == ["second", "digits-quick"]
    finish(store, presets.digits_quick())
    first, _, last = (experiment.id for experiment in store.experiments())
    assert f"digits-quick ({first})" in (text := page(store, settings, tmp_path))
    assert f"digits-quick ({last})" in text
    assert headings.findall(page(store, settings, tmp_path, last)) == ["digits-quick"]
    with pytest.raises(RunError, match="There is no experiment 'third'"):
        page(store, settings, tmp_path, "third")


def test_a_teacher_from_elsewhere_is_named(store: Store, settings: Settings, tmp_path: Path) -> None:
    teacher = finish(store, presets.digits_quick(), teacher=0.99)["teacher"]
    spec = ExperimentSpec(name="students", runs=presets.digits_quick().runs[2:], seeds=2)
    finish(store, replace(spec, {"distillation.teacher": teacher.id}))
    assert "Teacher from elsewhere: run 1 teacher of digits-quick, 99.00% on test." in page(
        store, settings, tmp_path, "students"
    )


def test_runs_of_an_older_version_are_told_with_what_is_known(store: Store, settings: Settings, tmp_path: Path) -> None:
    finish(store, presets.digits_quick())
    with store.writing() as connection:
        connection.execute(schema.experiment_specs.delete())
    text = page(store, settings, tmp_path)
    assert "The command was not recorded." in text
    assert "Machine: not recorded." in text
    assert "on 360 test images" in text


def test_a_page_says_nothing_of_this_machines_folders(store: Store, settings: Settings, tmp_path: Path) -> None:
    paths = {"data.source": "folder", "data.path": str(tmp_path / "animals")}
    finish(store, replace(presets.digits_quick(), paths))
    finish(store, replace(presets.smoke(), paths | {"name": "alone", "optim.epochs": 7}))
    files = write_report(store, settings.runs_dir, tmp_path / "results.md", ())
    for file in files:
        assert str(tmp_path / "animals") not in file.read_text()
    assert "--set data.path=animals" in files[0].read_text()
