"""Every figure of every page: it says in words what it shows, has a name to be saved by, and is read without colour."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.curves.charts import CHARTS
from deit_core import presets
from deit_core.metrics import METRICS, TOKEN_COSINES
from deit_core.runs import NewPoint, RunUpdate, Status, Store, enqueue
from deit_core.spec import ExperimentSpec, replace, with_sweep

RunPage = Callable[..., AppTest]
Figure = dict[str, Any]
ROOT = Path(__file__).parents[2]

# Every module that draws figures, with the page, the address and the open sections that show all of them.
SHOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "curves/panel.py": ("runs", {"curve_charts": list(CHARTS)}),
    "views/attention/closer/depth.py": ("attention", {"att_closer": "Depth"}),
    "views/attention/closer/epoch_film.py": ("attention", {"att_closer": "Film", "att_epoch": "2"}),
    "views/attention/closer/faithfulness_curves.py": ("attention", {"att_closer": "Faithfulness"}),
    "views/compare/confidence.py": ("compare", {"compare_calibration": True}),
    "views/compare/experiments.py": ("compare", {}),
    "views/compare/passed_on.py": ("compare", {"compare_passed_on": True}),
    "views/compare/search.py": ("compare", {}),
    "views/compare/speed_chart.py": ("compare", {"compare_cost": True}),
    "views/compare/wrong_answers.py": ("compare", {"compare_mistakes": True}),
    "views/data/page.py": ("data", {"data": "Digits"}),
    "views/lab/page.py": ("lab", {}),
    "views/learn/exhibits/tokens.py": ("learn", {"lesson": "1", "guess": "0"}),
    "views/learn/exhibits/worked_picture.py": ("learn", {"lesson": "2", "guess": "0"}),
    "views/learn/exhibits/bias.py": ("learn", {"lesson": "3", "guess": "0"}),
    "views/learn/exhibits/skips.py": ("learn", {"lesson": "4", "guess": "0"}),
    "views/learn/exhibits/teacher_strength.py": ("learn", {"lesson": "5", "guess": "0"}),
    "views/learn/exhibits/two_tokens.py": ("learn", {"lesson": "6", "guess": "0"}),
    "views/learn/exhibits/on_the_digit.py": ("learn", {"lesson": "7", "guess": "0"}),
}


def test_the_list_holds_every_module_that_draws_figures() -> None:
    files = (file for file in (ROOT / "dashboard").rglob("*.py") if file.name != "live_chart.py")
    drawing = {file.relative_to(ROOT / "dashboard").as_posix() for file in files if "live_chart(" in file.read_text()}
    assert drawing == set(SHOWN)


def test_no_figure_is_drawn_in_another_way() -> None:
    others = re.compile(r"st\.(?:plotly|altair|vega_lite|line|bar|area|scatter|pydeck|graphviz)_chart|st\.pyplot")
    files = (file for file in (ROOT / "dashboard").rglob("*.py") if file.name != "live_chart.py")
    assert [name for file in files for name in others.findall(file.read_text())] == []


def measure_heads(store: Store, run_id: str) -> None:
    """What a DeiT measures after an epoch, as the last of its points."""
    names = [name for name in METRICS if re.match("val_(agreement|entropy|heads)", name)]
    heads = dict.fromkeys(names, 0.625) | {metric.name: 0.1 + block / 10 for block, metric in TOKEN_COSINES.items()}
    update = RunUpdate(step=40, results=store.run(run_id).results | {"best_epoch": 4})
    store.add_points(run_id, [NewPoint("epoch", 40, 4.0, 4.0, heads)], update)


def experiment(store: Store) -> str:
    """A teacher, and students of 5 and of 10 epochs, all completed; returns the id of the experiment."""
    teacher, *pair = presets.digits_quick().runs
    students = [replace(run, {"name": f"{run.name}-{n}", "optim.epochs": n}) for n in (5, 10) for run in pair]
    ids = enqueue(store, ExperimentSpec(name="epochs", runs=(teacher, *students)))
    for run_id, accuracy in zip(ids, (0.95, 0.6, 0.7, 0.81, 0.84), strict=True):
        update = RunUpdate(step=20, total_steps=20, results={"test_accuracy": accuracy})
        store.set_status(run_id, Status.COMPLETED, update=update)
    return str(store.run(ids[0]).experiment_id)


def search(store: Store) -> str:
    """A search over two fields, all runs completed; returns the id of the experiment."""
    ids = enqueue(store, with_sweep(presets.digits_quick(), {"optim.lr": [1e-4, 1e-3], "model.depth": [1, 2, 3]}))
    for number, run_id in enumerate(ids):
        update = RunUpdate(step=20, total_steps=20, results={"best_val_accuracy": 0.5 + number / 37, "best_epoch": 3})
        store.set_status(run_id, Status.COMPLETED, update=update)
    return str(store.run(ids[0]).experiment_id)


def numbers_of(figure: Figure) -> Iterator[float]:
    def flat(values: Any) -> Iterator[float]:
        if isinstance(values, list):
            for value in values:
                yield from flat(value)
        elif isinstance(values, int | float):
            yield float(values)

    for trace in figure["figure"]["data"]:
        for place in ("x", "y", "z"):
            yield from flat(trace.get(place, []))


def tells(words: str, number: float) -> bool:
    """Whether a number stands in the words, rounded; the number of a run is not looked at."""
    for found in re.finditer(r"\d[\d,]*\.\d+(?:e[+-]\d+)?%?|\d+%|\d[\d,]{2,}", words):
        text = found[0].rstrip(",")
        unit = 0.01 if text.endswith("%") else 1
        mantissa, _, exponent = text.rstrip("%").replace(",", "").partition("e")
        last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        if abs(float(mantissa) * 10.0 ** int(exponent or 0) * unit - abs(number)) <= 0.51 * last_digit * unit:
            return True
    return False


@pytest.mark.parametrize("module", SHOWN)
def test_figures_say_what_they_show_have_a_name_and_are_read_without_colour(
    module: str,
    looked: dict[str, str],
    answered: dict[str, str],
    store: Store,
    run_page: RunPage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if module.endswith("on_the_digit.py"):  # which needs models of scattered digits
        monkeypatch.setenv("DEIT_DEMO_RUNS", "1")
        st.cache_resource.clear()
    measure_heads(store, looked["deit"])
    name, options = SHOWN[module]
    address = {key: value for key, value in options.items() if value is not True}
    if module.endswith("experiments.py"):
        address["compare_experiment"] = experiment(store)
    if module.endswith("search.py"):
        address["compare_experiment"] = search(store)
    page = run_page(name, **address)
    if sections := options.keys() - address.keys():
        page.session_state[sections.pop()] = True
        page.run()
    drawn = figures(page)
    assert drawn
    for one in drawn:
        assert any(tells(one["alt"], number) for number in numbers_of(one)), (one["key"], one["alt"])
        assert one["alt"].endswith(".")
        assert re.fullmatch(r"[\w-]+", one["filename"])
        for first, second in combinations(one["figure"]["data"], 2):
            if colour(first) != colour(second):
                assert signs(first) != signs(second), (one["key"], first["name"], second["name"])
    assert len({one["filename"] for one in drawn}) == len(drawn)
    if module == "curves/panel.py":
        assert set(CHARTS) - {one["title"] for one in drawn} == {"EMA weights", "Teacher looked up"}


def figures(page: AppTest) -> list[Figure]:
    assert not page.exception
    found = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    return [one for one in found if "figure" in one]


def colour(trace: Figure) -> str:
    return str(trace.get("marker", {}).get("color") or trace.get("line", {}).get("color"))


def signs(trace: Figure) -> tuple[Any, ...]:
    """What a trace looks like in grey."""
    marker, mode = trace.get("marker", {}), trace.get("mode", "")
    symbol = str(marker.get("symbol", "circle")) if "markers" in mode else None
    line = trace.get("line", {})
    dash = line.get("dash", "solid") if "lines" in mode and line.get("width") != 0 else None
    return trace["type"], symbol, dash, marker.get("pattern", {}).get("shape"), trace.get("fill")


def test_a_name_is_shown_as_it_is(run_page: RunPage, store: Store, trio: dict[str, str]) -> None:
    spec = store.run(trio["vit"]).spec.with_changes(name="<b>owl & co")
    store.add({"abcd1234": spec}, {})
    store.set_status("abcd1234", Status.RUNNING)
    store.add_points("abcd1234", [NewPoint("step", 1, 0.1, 0.1, {"train_loss": 1.0})], RunUpdate(step=1))
    page = run_page("runs", runs=["abcd1234"])
    (loss,) = figures(page)
    (trace,) = loss["figure"]["data"]
    assert trace["name"] == "4 &lt;b&gt;owl &amp; co", "Plotly reads markup, once"
    assert trace["meta"]["column"] == "4 &lt;b&gt;owl &amp; co, Training loss"
    assert loss["alt"].endswith("4 <b>owl & co 1.0000.")
