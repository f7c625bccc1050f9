"""The figures of curves: honest when smoothed and thinned, and readable without colour."""

import random
import re
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dashboard.curves.charts import CHARTS, COLOURS, Chart
from dashboard.curves.figure import MAX_POINTS, Average, Curve, figure, finding, thin
from deit_core.metrics import METRICS
from deit_core.presets import digits_quick, smoke
from deit_core.results.role_looks import look_of
from deit_core.runs import Point, Run, Status
from deit_core.runs.imported_curves import ImportedCurve


def a_run(number: int) -> Run:
    return Run(
        id=f"id{number}", number=number, spec=smoke(), status=Status.RUNNING, message="",
        stop_requested=False, experiment_id=None, experiment_name=None, worker_id=None, created_at=0.0, started_at=0.0,
        finished_at=None, step=0, total_steps=0, epoch=0, time_left_s=None, results={}, needs=(),
    )  # fmt: skip


def a_curve(number: int = 1, num_steps: int = 20, seconds_per_step: float = 1.0) -> Curve:
    points = []
    for step in range(1, num_steps + 1):
        place = {"step": step, "epoch": step / 10, "elapsed_s": step * seconds_per_step}
        points.append(Point(seq=2 * step, run_id="", kind="step", metrics={"train_loss": 1 / step}, **place))
        if step % 10 == 0:
            points.append(Point(seq=2 * step + 1, run_id="", kind="epoch", metrics={"val_loss": 2 / step}, **place))
    return Curve(a_run(number), points)


def test_train_and_validation_stand_where_they_were_measured() -> None:
    train, validation = figure(CHARTS["Loss"], [a_curve()], axis="step")["data"]
    assert train["x"] == list(range(1, 21))
    assert train["y"][3] == 1 / 4
    assert (validation["x"], validation["y"]) == ([10, 20], [0.2, 0.1])
    assert train["line"]["color"] == validation["line"]["color"]
    assert train["opacity"] < validation["opacity"]
    assert train["marker"]["maxdisplayed"] < validation["marker"]["maxdisplayed"]


def test_a_line_says_where_more_of_it_comes_from() -> None:
    curve = a_curve(seconds_per_step=60)
    _, smoothed, validation = figure(CHARTS["Loss"], [curve], axis="time", smoothing=0.9)["data"]
    assert validation["meta"] == {
        "run": "id1", "kind": "epoch", "metric": "val_loss", "position": "elapsed_s", "scale": 60, "seq": 41,
        "column": "1 smoke, Validation loss",
    }  # fmt: skip
    average = Average(**smoothed["meta"]["average"])
    longer = figure(CHARTS["Loss"], [a_curve(num_steps=21, seconds_per_step=60)], axis="time", smoothing=0.9)["data"][1]
    assert average.add(1 / 21, 2.1) == pytest.approx(longer["y"][-1])


def test_a_run_is_named_once_in_the_legend() -> None:
    traces = figure(CHARTS["Loss"], [a_curve(1), a_curve(2)], axis="epoch", smoothing=0.5)["data"]
    assert [trace["name"] for trace in traces if trace["showlegend"]] == ["1 smoke", "2 smoke"]
    assert len({trace["uid"] for trace in traces}) == len(traces) == 6


def test_every_line_has_a_column_of_its_own() -> None:
    traces = figure(CHARTS["Loss"], [a_curve(1), a_curve(2)], axis="epoch", smoothing=0.5)["data"]
    parts = "Training loss", "Training loss, smoothed", "Validation loss"
    assert [trace["meta"]["column"] for trace in traces] == [f"{run} smoke, {part}" for run in (1, 2) for part in parts]


@pytest.mark.parametrize(
    ("axis", "seconds_per_step", "last", "title"),
    [("epoch", 1, 2, "Epoch"), ("time", 1, 20, "Time (s)"), ("time", 60, 20, "Time (min)")],
)
def test_the_horizontal_axis(axis: str, seconds_per_step: float, last: float, title: str) -> None:
    drawn = figure(CHARTS["Loss"], [a_curve(seconds_per_step=seconds_per_step)], axis=axis)  # type: ignore[arg-type]
    assert drawn["data"][0]["x"][-1] == last
    assert drawn["layout"]["xaxis"]["title"]["text"] == title


def test_the_axis_of_a_run_in_training_reaches_to_its_planned_end() -> None:
    running = a_curve(num_steps=10)
    ended = Curve(replace(running.run, status=Status.STOPPED), running.points)
    ends = [
        figure(CHARTS["Loss"], curves, axis="epoch")["layout"]["xaxis"]["range"][1]
        for curves in ([running], [ended], [ended, running])
    ]
    assert ends == pytest.approx([2.04, 1.02, 2.04])  # of two epochs one is measured


def test_thick_and_thin_are_explained_where_both_are_drawn() -> None:
    both, training_alone = (
        figure(CHARTS["Loss"], [a_curve(num_steps=steps)], axis="epoch")["layout"]["annotations"] for steps in (20, 9)
    )
    assert [one["text"] for one in both] == ["thick: validation<br>thin: training"]
    assert training_alone == []


def test_the_zoom_is_let_go_only_when_an_axis_changes_its_meaning() -> None:
    def revision(chart: str = "Loss", **options: object) -> str:
        return figure(CHARTS[chart], [a_curve()], **{"axis": "epoch", **options})["layout"]["uirevision"]  # type: ignore[arg-type]

    assert revision() == revision(smoothing=0.9)
    assert len({revision(), revision(axis="step"), revision(is_log=True)}) == 3
    assert revision("Accuracy") == revision("Accuracy", is_log=True), "an accuracy has no logarithmic axis"


def test_smoothing_keeps_what_was_measured_faintly() -> None:
    raw, smoothed, _ = figure(CHARTS["Loss"], [a_curve()], axis="step", smoothing=0.9)["data"]
    assert raw["y"] == [1 / step for step in range(1, 21)]
    assert raw["opacity"] < smoothed["opacity"]
    assert smoothed["x"] == raw["x"]
    assert smoothed["y"][0] == 1
    assert all(mean > loss for mean, loss in zip(smoothed["y"][1:], raw["y"][1:], strict=True)), "it lags behind"


def smooth_losses(values: list[float], epochs: list[float], weight: float) -> list[float]:
    """The losses of steps, as the chart draws them."""
    points = [
        Point(number, "", "step", number, epoch, 1.0, {"train_loss": value})
        for number, (value, epoch) in enumerate(zip(values, epochs, strict=True))
    ]
    _, trace = figure(CHARTS["Loss"], [Curve(a_run(1), points)], axis="step", smoothing=weight)["data"]
    drawn: list[float] = trace["y"]
    return drawn


def test_smoothing_is_not_biased_towards_its_start() -> None:
    epochs = [0.2, 0.4, 0.6]
    assert smooth_losses([3.0] * 3, epochs, 0.99) == pytest.approx([3.0] * 3)
    assert smooth_losses([1.0, 2.0, 4.0], epochs, 0.5) == pytest.approx(
        [1, (0.5 * 1 + 2) / 1.5, (0.25 * 1 + 0.5 * 2 + 4) / 1.75]
    )


def test_runs_measured_at_different_rates_are_smoothed_alike() -> None:
    often = [step / 200 for step in range(2001)]
    seldom = [step / 20 for step in range(201)]
    end_often, end_seldom = (
        smooth_losses([epoch**2 for epoch in epochs], epochs, 0.95)[-1] for epochs in (often, seldom)
    )
    assert end_often == pytest.approx(end_seldom, rel=0.01)


def test_a_learning_rate_is_never_smoothed() -> None:
    points = [Point(1, "", "step", 1, 0.1, 1.0, {"lr": 0.1}), Point(2, "", "step", 2, 0.2, 2.0, {"lr": 0.2})]
    (trace,) = figure(CHARTS["Learning rate"], [Curve(a_run(1), points)], axis="step", smoothing=0.9)["data"]
    assert trace["y"] == [0.1, 0.2]


def test_only_a_run_with_several_lines_needs_labels() -> None:
    heads = {"val_accuracy": 0.5, "val_accuracy_class": 0.4, "val_accuracy_distillation": 0.6}
    deit = Curve(a_run(1), [Point(1, "", "epoch", 1, 1.0, 1.0, heads)])
    vit = Curve(a_run(2), [Point(1, "", "epoch", 1, 1.0, 1.0, {"val_accuracy": 0.5})])
    names = [trace["name"] for trace in figure(CHARTS["Accuracy per head"], [deit, vit], axis="epoch")["data"]]
    assert names == ["1 smoke, class head", "1 smoke, distillation head", "1 smoke, mean", "2 smoke"]


def test_thinning_keeps_short_series_whole() -> None:
    values = [random.Random(0).random() for _ in range(MAX_POINTS)]
    assert thin(values) == list(range(MAX_POINTS))


def test_thinning_keeps_spikes_and_ends() -> None:
    values = [0.5] * 50_000
    values[31_417], values[27_182] = 9.0, -9.0
    kept = thin(values)
    assert {0, 31_417, 27_182, 49_999} <= set(kept)
    assert len(kept) <= MAX_POINTS + 2


def test_points_that_were_drawn_never_move() -> None:
    """As more arrive, whole bins lose points, but none appears between those that were drawn."""
    generator = random.Random(1)
    values = [generator.random() for _ in range(9000)]
    lengths = range(MAX_POINTS + 1, 9000, 97)
    for earlier, later in pairwise(lengths):
        before, after = thin(values[:earlier]), thin(values[:later])
        settled = earlier - earlier % 64  # of a bin that is not full yet, other points may be the extremes
        assert {index for index in after if index < settled} <= set(before)


def of_role(name: str, number: int) -> Curve:
    """A run of the trio with a point of each kind."""
    (spec,) = (run for run in digits_quick().runs if run.name == name)
    heads = ("", "_class", "_distillation") if name == "deit" else ("",)
    epoch = {f"val_accuracy{head}": 0.5 + number / 100 for head in heads} | {"val_loss": 0.5}
    step = {"train_loss": 1.0, "lr": 1e-3}
    return Curve(
        replace(a_run(number), spec=spec),
        [Point(1, "", "step", 1, 1.0, 1.0, step), Point(2, "", "epoch", 1, 1.0, 1.0, epoch)],
    )


def drawn_looks(chart: str, *curves: Curve) -> list[tuple[str, str, str]]:
    """The colour, the dash and the marker of each line."""
    traces = figure(CHARTS[chart], curves, axis="epoch")["data"]
    return [(trace["line"]["color"], trace["line"]["dash"], trace["marker"]["symbol"]) for trace in traces]


def test_a_run_keeps_the_colour_of_its_role_whatever_it_is_shown_with() -> None:
    teacher, vit, deit = of_role("teacher", 1), of_role("vit", 2), of_role("deit", 3)
    alone = [drawn_looks("Learning rate", curve) for curve in (teacher, vit, deit)]
    assert drawn_looks("Learning rate", teacher, vit, deit) == [look for (look,) in alone]
    assert len({colour for ((colour, _, _),) in alone}) == 3
    assert drawn_looks("Learning rate", of_role("vit", 9)) == alone[1]


def test_runs_of_one_role_differ_by_dash() -> None:
    looks = drawn_looks("Learning rate", *(of_role("vit", number) for number in (8, 2, 5)), of_role("deit", 3))
    vits = looks[:3]
    assert len({colour for colour, _, _ in vits}) == 1
    assert [dash for _, dash, _ in vits] == ["dashdot", "solid", "dash"], "the oldest is solid"
    assert looks[3][1] == "solid"


def test_no_two_of_twenty_runs_of_a_role_look_alike() -> None:
    assert len(set(drawn_looks("Learning rate", *(of_role("deit", number) for number in range(1, 21))))) == 20


def test_the_heads_of_a_deit_have_colours_and_markers_of_their_own() -> None:
    looks = drawn_looks("Accuracy per head", of_role("deit", 1), of_role("deit", 2))
    assert len({colour for colour, _, _ in looks}) == len({marker for _, _, marker in looks}) == 3
    assert [dash for _, dash, _ in looks] == ["solid"] * 3 + ["dash"] * 3
    assert looks[2] == drawn_looks("Accuracy", of_role("deit", 1))[0], "the mean of both is the model"


def test_words_say_where_the_curves_end() -> None:
    runs = of_role("vit", 2), of_role("deit", 3)
    assert finding(CHARTS["Accuracy"], runs) == "2 vit 52.0%; 3 deit 53.0%"
    assert finding(CHARTS["Loss"], [a_curve()]) == "1 smoke 0.1000", "validation, not training"
    assert (
        finding(CHARTS["Accuracy per head"], runs[1:]) == "3 deit class head 53.0%, distillation head 53.0%, mean 53.0%"
    )
    cosines = Point(1, "", "epoch", 1, 1.0, 1.0, {f"val_token_cosine_{block}": block / 10 for block in range(7)})
    assert finding(CHARTS["Cosine of the two tokens"], [Curve(a_run(4), [cosines])]) == "4 smoke input 0, block 6 0.6"
    assert finding(CHARTS["Learning rate"], [Curve(a_run(1), [])]) == ""


def test_imported_curves_have_looks_that_no_run_has() -> None:
    points = a_curve(num_steps=30).points
    others = [Curve(ImportedCurve(f"c{number}", f"mine {number}", True, points, {}), points) for number in range(8)]
    drawn = figure(CHARTS["Loss"], [a_curve(), *others], axis="epoch")
    looks = {(trace["line"]["color"], trace["line"]["dash"], trace["marker"]["symbol"]) for trace in drawn["data"][2:]}
    assert len(looks) == 8
    assert not {colour for colour, *_ in looks} & {trace["line"]["color"] for trace in drawn["data"][:2]}
    assert {dash for _, dash, _ in looks} == {"dot"}
    assert {trace["name"] for trace in drawn["data"]} == {"1 smoke", *(f"mine {number}" for number in range(8))}
    assert "; mine 7 0.0667" in finding(CHARTS["Loss"], others)


def test_what_is_no_model_has_no_model_s_colour() -> None:
    heads = [("teacher", ""), ("ViT", ""), ("DeiT", ""), ("DeiT", "class"), ("DeiT", "distillation")]
    assert not {look_of(role, head=head).colour for role, head in heads} & set(COLOURS)


@pytest.mark.parametrize("page", ["#ffffff", "#171614"])
@pytest.mark.parametrize("colour", COLOURS)
def test_colours_stand_out_in_light_and_in_dark(colour: str, page: str) -> None:
    assert _contrast(colour, page) >= 3


@pytest.mark.parametrize(("name", "page", "words"), [("light", "#ffffff", 0), ("dark", "#171614", 1)])
def test_buttons_can_be_read_and_stand_out(name: str, page: str, words: int) -> None:
    root = Path(__file__).parents[2]
    theme = tomllib.loads((root / ".streamlit" / "config.toml").read_text())["theme"]
    (both,) = re.findall(r"light-dark\((.*)\)", (root / "dashboard" / "server" / "page.css").read_text())
    assert _contrast(theme[name]["primaryColor"], both.split(", ")[words]) >= 4.5, "the words on a button"
    assert _contrast(theme[name]["primaryColor"], page) >= 3
    assert "primaryColor" not in theme, "it would take the dark theme away"


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_the_lines_of_a_chart_share_its_axis(chart: Chart) -> None:
    assert len({METRICS[line.metric].unit for line in chart.lines}) == 1


@pytest.mark.parametrize(("title", "form"), [("Loss", ".4f"), ("Accuracy", ".1%"), ("Learning rate", ".2e")])
def test_numbers_are_shown_by_their_unit(title: str, form: str) -> None:
    assert CHARTS[title].number_format == form
    assert CHARTS[title].can_be_log == (title == "Loss")


def test_a_metric_that_no_run_measures_draws_nothing() -> None:
    assert figure(CHARTS["Teacher agreement"], [a_curve()], axis="epoch")["data"] == []


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
