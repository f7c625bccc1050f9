"""An experiment on the Compare page: its charts, their numbers, the paper's tables, and a sentence without a chart."""

from collections.abc import Callable, Mapping

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.compare import experiments, search
from deit_core import presets
from deit_core.runs import RunUpdate, Status, Store, enqueue
from deit_core.spec import AnySpec, ExperimentSpec, replace, with_sweep

RunPage = Callable[..., AppTest]
Charts = dict[str, dict[str, object]]


@pytest.fixture
def charts(monkeypatch: pytest.MonkeyPatch) -> Charts:
    """The charts of the experiment by their keys, as they were drawn last, each with its figure and its `alt`."""
    drawn: Charts = {}

    def live_chart(figure: object, *, key: str, **options: object) -> None:
        drawn[key] = {"figure": figure, **options}

    monkeypatch.setattr(experiments, "live_chart", live_chart)
    monkeypatch.setattr(search, "live_chart", live_chart)
    return drawn


def finish(store: Store, spec: AnySpec, accuracy: Mapping[str, float], **more: Mapping[str, float]) -> str:
    """Complete the runs of an experiment that have an accuracy; return the experiment's id."""
    ids = enqueue(store, spec)
    for run_id in ids:
        name = store.run(run_id).name
        if name in accuracy:
            results = {"test_accuracy": accuracy[name], "best_val_accuracy": accuracy[name] / 2, **more.get(name, {})}
            update = RunUpdate(step=20, total_steps=20, results=results)
            store.set_status(run_id, Status.COMPLETED, update=update)
    experiment = store.run(ids[0]).experiment_id
    assert experiment is not None
    return experiment


def epochs(*values: int, seeds: int = 1) -> ExperimentSpec:
    teacher, *pair = presets.digits_quick().runs
    runs = [replace(run, {"name": f"{run.name}-{value}", "optim.epochs": value}) for value in values for run in pair]
    return ExperimentSpec(name="epochs", runs=(teacher, *runs), seeds=seeds)


def rows(page: AppTest, index: int = 0) -> list[list[str]]:
    return [[plain(str(cell)) for cell in row] for row in page.table[index].value.itertuples(index=False)]


def plain(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "")


def said(page: AppTest) -> str:
    return plain("\n".join(one.value for kind in ("markdown", "caption", "info") for one in page.get(kind)))


def trace(chart: dict[str, object], name: str) -> dict[str, object]:
    (found,) = (one for one in chart["figure"]["data"] if one["name"] == name)  # type: ignore[index]
    return found  # type: ignore[no-any-return]


def test_no_experiment_is_chosen_at_first(
    run_page: RunPage, trio: dict[str, str], store: Store, charts: Charts
) -> None:
    page = run_page("compare")
    assert not page.exception
    assert "compare_experiment" not in [box.key for box in page.selectbox], "nothing varies in a trio"
    assert not charts
    assert page.multiselect(key="compare").value == [trio["vit"], trio["deit"]]
    finish(store, epochs(5, 10), {"vit-5": 0.5, "deit-5": 0.6})
    assert run_page("compare").selectbox(key="compare_experiment").value is None
    assert "compare_experiment" not in page.query_params


def test_accuracy_gain_and_teacher_against_a_number(run_page: RunPage, store: Store, charts: Charts) -> None:
    scores = {"teacher": 0.95, "vit-10": 0.8, "deit-10": 0.83, "vit-10-s43": 0.81, "deit-10-s43": 0.85}
    scores |= {"vit-10-s44": 0.82, "deit-10-s44": 0.84, "vit-5": 0.6, "deit-5": 0.7}
    experiment = finish(store, epochs(10, 5, seeds=3), scores)
    page = run_page("compare")
    page.selectbox(key="compare_experiment").set_value(experiment).run()
    assert not page.exception
    assert page.query_params["compare_experiment"] in ([experiment], experiment)
    assert rows(page) == [
        ["5", "60.00%", "70.00%", "95.00%", "+10.00", "–"],
        ["10", "81.00 ± 1.00%", "84.00 ± 1.00%", "95.00%", "+3.00", "+0.52 to +5.48"],
    ]
    chart = charts["compare_variation"]
    assert trace(chart, "teacher")["y"] == [0.95, 0.95]
    assert trace(chart, "ViT")["x"] == [5, 10]
    assert trace(chart, "DeiT")["y"] == pytest.approx([0.7, 0.84])
    assert trace(chart, "DeiT")["error_y"]["array"] == pytest.approx([0, 0.0248414], abs=1e-6)  # type: ignore[index]
    assert "DeiT is best with 84.0% at optim.epochs=10" in str(chart["alt"])
    assert trace(charts["compare_gain"], "DeiT")["y"] == pytest.approx([10, 3])
    assert "the largest is +10.0 points at optim.epochs=5" in str(charts["compare_gain"]["alt"])
    assert "4 of 13 runs are not finished" in said(page)


def test_its_address_shows_it_again(run_page: RunPage, store: Store, charts: Charts) -> None:
    experiment = finish(store, epochs(5, 10), {"teacher": 0.9, "vit-5": 0.5, "deit-5": 0.6, "deit-10": 0.7})
    page = run_page("compare", compare_experiment=experiment)
    assert page.selectbox(key="compare_experiment").value == experiment
    assert trace(charts["compare_variation"], "ViT")["x"] == [5]


def test_an_address_of_no_experiment_here_says_so(run_page: RunPage, trio: dict[str, str], charts: Charts) -> None:
    page = run_page("compare", compare_experiment="**gone**")
    assert not page.exception
    assert not charts
    assert "The experiment **gone** is not here: deleted, or in another store." in said(page)


def test_kinds_are_categories_and_one_vit_is_their_line(run_page: RunPage, store: Store, charts: Charts) -> None:
    teacher, vit, soft = presets.digits_quick().runs
    hard = replace(soft, {"name": "hard", "distillation.kind": "hard", "distillation.alpha": 0.5})
    spec = ExperimentSpec(name="kinds", runs=(teacher, vit, hard, soft))
    finish(store, spec, {"teacher": 0.94, "vit": 0.87, "hard": 0.89, "deit": 0.9})
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    figure = charts["compare_variation"]["figure"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["hard", "soft"]  # type: ignore[index]
    assert trace(charts["compare_variation"], "ViT")["y"] == [0.87, 0.87]
    assert trace(charts["compare_variation"], "DeiT")["mode"] == "markers"
    assert "Where `distillation.kind` changes, other fields change too: `distillation.alpha`" in said(page)


def test_a_second_field_has_a_line_for_each_value(run_page: RunPage, store: Store, charts: Charts) -> None:
    spec = presets.get("repeated-aug")
    finish(store, spec, {run.name: 0.5 for run in spec.runs})  # type: ignore[union-attr]
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    assert not page.exception
    names = [one["name"] for one in charts["compare_variation"]["figure"]["data"]]  # type: ignore[index]
    lines = ["ViT, repeated_aug 1", "ViT, repeated_aug 3", "DeiT, repeated_aug 1", "DeiT, repeated_aug 3"]
    assert names == ["teacher", *lines]
    dashes = [trace(charts["compare_variation"], name)["line"]["dash"] for name in lines]  # type: ignore[index]
    assert dashes == ["solid", "dash", "solid", "dash"]


def test_table_3_stands_beside_the_papers(run_page: RunPage, store: Store, charts: Charts) -> None:
    scores = {"teacher": 0.98, "vit": 0.7, "soft": 0.72, "hard": 0.74, "deit": 0.76}
    heads = {"test_accuracy_class": 0.73, "test_accuracy_distillation": 0.75, "test_accuracy_mean_softmax": 0.77}
    finish(store, presets.get("table-3"), scores, deit=heads)
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    assert not page.exception
    table = rows(page, 1)
    assert table[0] == ["No distillation", "70.00%", "72.2%", "79.8%", "81.8%", "83.1%"]
    assert table[5] == ["With token: both, mean of logits", "76.00%", "74.5%", "81.2%", "83.4%", "84.5%"]
    assert table[6] == ["With token: both, mean of probabilities", "77.00%", "–", "–", "–", "–"]
    assert len(table) == 7


def test_teachers_stand_beside_the_papers(run_page: RunPage, store: Store, charts: Charts) -> None:
    scores = {"cnn": 0.94, "transformer": 0.95, "vit": 0.7, "deit-cnn": 0.8, "deit-transformer": 0.78}
    finish(store, presets.get("table-2"), scores)
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    assert rows(page, 1) == [["cnn", "94.00%", "80.00%"], ["transformer", "95.00%", "78.00%"]]
    assert rows(page, 2)[1] == ["RegNetY-4GF", "80.0%", "82.7%", "83.6%"]
    assert trace(charts["compare_variation"], "teacher")["y"] == [0.94, 0.95]


def test_an_experiment_that_varies_nothing_says_so(
    run_page: RunPage, trio: dict[str, str], store: Store, charts: Charts
) -> None:
    experiment = store.run(trio["vit"]).experiment_id
    assert experiment is not None
    page = run_page("compare", compare_experiment=experiment)
    assert not page.exception
    assert not charts
    assert "No chart of this experiment. Its runs vary in nothing but the seed" in said(page)


def test_runs_of_a_search_are_judged_on_validation(run_page: RunPage, store: Store, charts: Charts) -> None:
    spec = replace(epochs(5, 10), {"tags": ["search"]})
    finish(store, spec, {run.name: 0.8 for run in spec.runs})
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    assert trace(charts["compare_variation"], "ViT")["y"] == [0.4, 0.4]
    assert str(charts["compare_variation"]["alt"]).startswith("Best validation accuracy")


def test_names_are_shown_as_they_are(run_page: RunPage, store: Store, charts: Charts) -> None:
    name = "+1+1 **a** $x$"
    cnn, *others = presets.get("table-2").runs  # type: ignore[union-attr]
    runs = [replace(cnn, {"name": name}), *others]
    runs = [replace(run, {"distillation.teacher": name}) if run.name == "deit-cnn" else run for run in runs]
    finish(store, ExperimentSpec(name=name, runs=tuple(runs)), {run.name: 0.5 for run in runs})
    page = run_page("compare")
    page.selectbox(key="compare_experiment").select_index(0).run()
    assert not page.exception
    assert name in [row[0] for row in rows(page)]
    assert name not in page.table[0].value.iloc[0, 0]


def test_an_experiment_that_is_deleted_is_left(run_page: RunPage, store: Store, charts: Charts) -> None:
    finish(store, epochs(5), {"teacher": 0.9, "vit-5": 0.5, "deit-5": 0.6})
    experiment = finish(store, epochs(5, 10), {"teacher": 0.9, "vit-5": 0.5, "deit-5": 0.6, "deit-10": 0.7})
    page = run_page("compare", compare_experiment=experiment)
    for run in store.runs():
        if run.experiment_id == experiment:
            store.set_status(run.id, Status.COMPLETED)
            store.delete(run.id)
    page.run()
    assert not page.exception
    assert page.selectbox(key="compare_experiment").value is None


def test_a_small_search_can_be_chosen(run_page: RunPage, store: Store) -> None:
    spec = with_sweep(presets.smoke(), {"optim.lr": [1e-4, 1e-2]})
    finish(store, spec, {"smoke lr 0.0001": 0.5, "smoke lr 0.01": 0.6})
    assert run_page("compare").selectbox(key="compare_experiment").options == ["smoke sweep (runs 1 to 2)"]


def test_a_search_without_a_teacher_speaks_of_none(run_page: RunPage, store: Store, charts: Charts) -> None:
    scores = {"smoke lr 0.0001": 0.5, "smoke lr 0.01": 0.6}
    experiment = finish(store, with_sweep(presets.smoke(), {"optim.lr": [1e-4, 1e-2]}), scores)
    ids = [run.id for run in store.runs()]
    page = run_page("compare", compare_experiment=experiment, compare=ids)
    assert not page.exception
    assert not page.warning
    assert list(page.table[1].value.columns) == ["`optim.lr`", "ViT"]
    assert "distillation" not in said(page)
    assert "Runs of one search." in said(page)
    assert trace(charts["compare_variation"], "ViT")["y"] == [0.25, 0.3]


def test_a_search_is_ordered_by_validation_and_shows_no_test_number(
    run_page: RunPage, store: Store, charts: Charts
) -> None:
    spec = with_sweep(presets.smoke(), {"optim.lr": [1e-4, 1e-2], "model.depth": [1, 2, 3]})
    scores = {"smoke lr 0.0001 depth 2": 0.96, "smoke lr 0.01 depth 1": 0.98, "smoke lr 0.01 depth 3": 0.5}
    experiment = finish(store, spec, scores, **{name: {"best_epoch": 2} for name in scores})
    behind = next(run for run in store.runs() if run.name == "smoke lr 0.01 depth 2")
    update = RunUpdate(step=9, epoch=3, results={"best_val_accuracy": 0.11, "best_epoch": 2})
    store.set_status(behind.id, Status.STOPPED, "Stopped early: after epoch 3 its best", update)
    page = run_page("compare", compare_experiment=experiment)
    assert [row[1:] for row in rows(page)] == [
        ["1", "0.01", "49.00%", "2", "completed"],
        ["2", "0.0001", "48.00%", "2", "completed"],
        ["3", "0.01", "25.00%", "2", "completed"],
        ["2", "0.01", "11.00%", "2", "stopped early, epoch 3"],
    ]
    assert "Best of 4 on validation images: **4 smoke lr 0.01 depth 1** with 49.00%" in said(page)
    assert "96.00%" not in said(page)
    best = trace(charts["compare_parallel"], "the best run")
    assert best["x"] == [0, 1, 2, None]
    assert best["y"] == [0.11, 0.49, 0.49, None], "the smallest depth below, the largest rate above"
    assert best["meta"] == {"places": ["model.depth", "optim.lr", "accuracy", ""], "values": [1, 0.01, 0.49, None]}
    depth = trace(charts["compare_marginal_model.depth"], "ViT")
    assert depth["x"] == [1, 2, 3, 2]
    assert depth["y"] == [0.49, 0.48, 0.25, 0.11]
