"""The Runs page says how every run is, and does what its buttons say."""

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from dashboard import state
from deit_core.layout import run_folder
from deit_core.presets import smoke
from deit_core.runs import Status, Store, enqueue
from deit_core.spec import load_spec, replace

RunPage = Callable[..., AppTest]


def said(page: AppTest) -> str:
    """All text of the page, without the signs that keep markdown literal."""
    texts = [
        element.value for kind in ("markdown", "caption", "info", "error", "warning") for element in page.get(kind)
    ]
    return "\n".join(texts).replace("\\", "").replace("\u2060", "")


def of_runs(page: AppTest) -> list[Button]:
    """The buttons but that of the form under Chart options."""
    return [button for button in page.button if not str(button.key).startswith("FormSubmitter")]


def logs(page: AppTest) -> list[str]:
    return [one.label for one in page.expander if one.label.startswith("Log")]


def shown(store: Store, *ids: str) -> list[str]:
    """What a link says that shows these runs."""
    return [run.id for run in store.runs(ids)]


def test_an_empty_store_sends_the_newcomer_to_train(run_page: RunPage) -> None:
    page = run_page("runs")
    assert not page.exception
    assert "No run yet" in page.info[0].value
    assert page.page_link[0].value == "Train a teacher, a ViT and a DeiT"


def test_every_run_is_in_the_table_with_its_status(every_status: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs")
    assert not page.exception
    table = page.dataframe[0].value
    assert [one for (one,) in table["status"]] == [
        "queued", "interrupted", "stopped", "running", "blocked", "completed", "failed",
    ]  # fmt: skip
    running = table[table["number"] == 4].iloc[0]
    assert running["model"] == "ViT"
    assert (running["val_accuracy"], running["best_val_accuracy"]) == (80.0, 85.0)


def test_how_far_a_run_is_stands_in_its_line(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=shown(store, every_status["running"]))
    lines = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    assert [line["text"] for line in lines if "text" in line] == ["Epoch 2 of 2, about 1 min 23 s left."]


def test_the_newest_experiment_is_shown_at_first(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs")
    assert page.multiselect(key="runs").value == [trio["teacher"], trio["vit"], trio["deit"]]


def test_a_link_chooses_the_runs(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=["2 vit"])
    assert page.multiselect(key="runs").value == [trio["vit"]]
    assert "3 deit" not in said(page)


def test_a_student_of_a_failed_teacher_is_not_called_queued(
    store: Store, every_status: dict[str, str], run_page: RunPage
) -> None:
    text = said(run_page("runs", runs=shown(store, every_status["blocked"])))
    assert "It waits for its teacher, run 1 teacher, which failed. Resume that run" in text
    assert "queued" not in text


def test_a_failed_run_shows_why_and_its_log(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=shown(store, every_status["failed"]))
    assert logs(page) == ["Log of 1 teacher"]
    assert "The loss became NaN at step 7; lower optim.lr." in said(page)
    assert not page.code
    page.session_state[f"log-{every_status['failed']}"] = True
    assert page.run().code[0].value == "step 6 loss 0.9\nstep 7 loss nan"
    assert [line.split("**")[1] for line in page.markdown[-1].value.splitlines()] == ["queued", "running", "failed"]
    assert "The loss became NaN at step 7\\; lower optim\\.lr\\." in page.markdown[-1].value
    assert not logs(run_page("runs", runs=shown(store, every_status["queued"])))  # nothing to read yet


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("running", ["Stop"]),
        ("queued", ["Stop", "Delete"]),
        ("blocked", ["Stop", "Delete"]),
        ("stopped", ["Resume", "Edit and rerun", "Delete"]),
        ("interrupted", ["Resume", "Edit and rerun", "Delete"]),
        ("failed", ["Resume", "Edit and rerun", "Delete"]),
        ("completed", ["Edit and rerun", "Delete"]),
    ],
)
def test_buttons_follow_the_status(
    store: Store, every_status: dict[str, str], run_page: RunPage, status: str, buttons: list[str]
) -> None:
    page = run_page("runs", runs=shown(store, every_status[status]))
    assert [button.label for button in of_runs(page) if button.key not in ("stop_listed", "delete_listed")] == buttons


def test_the_settings_of_an_ended_run_open_on_the_train_page(
    store: Store, every_status: dict[str, str], run_page: RunPage
) -> None:
    page = run_page("runs", runs=shown(store, every_status["failed"]))
    page.button(key=f"edit-{every_status['failed']}").click().run()
    assert not page.exception
    name, document = page.session_state["opened_spec"]
    assert (name, load_spec(document)) == ("1 teacher", store.run(every_status["failed"]).spec)
    assert "Its settings are open on the Train page" in [link.label for link in page.page_link]


def test_a_reload_shows_the_runs_that_were_shown(trio: dict[str, str], store: Store, run_page: RunPage) -> None:
    page = run_page("runs")
    assert page.query_params["runs"] == [trio["teacher"], trio["vit"], trio["deit"]]
    enqueue(store, smoke())
    again = run_page("runs", runs=page.query_params["runs"])
    assert again.multiselect(key="runs").value == [trio["teacher"], trio["vit"], trio["deit"]]


def test_a_link_to_a_run_that_is_gone_says_so(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=[trio["vit"], "a1b2c3d4"])
    assert page.multiselect(key="runs").value == [trio["vit"]]
    assert page.info[0].value == "Run a1b2c3d4 is not here: deleted, or in another store."
    assert not run_page("runs", runs=[trio["vit"]]).info


def test_stop_asks_the_run_to_stop(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    run_id = every_status["running"]
    page = run_page("runs", runs=shown(store, run_id))
    page.button(key=f"Stop-{run_id}").click().run()
    assert store.run(run_id).stop_requested
    assert "stopping" in said(page)
    assert [button.key for button in of_runs(page)] == ["stop_listed", "delete_listed"]


def test_resume_queues_the_run_again(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    run_id = every_status["failed"]
    page = run_page("runs", runs=shown(store, run_id, every_status["blocked"]))
    page.button(key=f"Resume-{run_id}").click().run()
    assert store.run(run_id).status == Status.QUEUED
    assert "It starts when its teacher, run 1 teacher, is completed; that run is queued." in said(page)


def test_what_cannot_be_done_is_said_until_the_next_attempt(
    store: Store, every_status: dict[str, str], run_page: RunPage
) -> None:
    run_id = every_status["running"]
    page = run_page("runs", runs=shown(store, run_id, every_status["queued"]))
    store.set_status(run_id, Status.COMPLETED)
    page.button(key=f"Stop-{run_id}").click().run()
    assert "is completed already; only queued and running runs can be stopped." in said(page)
    assert page.run().error
    assert not page.button(key=f"Stop-{every_status['queued']}").click().run().error


def test_delete_asks_first(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    run_id = every_status["stopped"]
    run_folder(state.settings().runs_dir, run_id).mkdir(parents=True)
    page = run_page("runs", runs=shown(store, run_id))
    page.button(key=f"delete-{run_id}").click().run()
    assert store.runs([run_id])
    page.button(key="delete").click().run()
    assert not page.exception
    assert not store.runs([run_id])
    assert not run_folder(state.settings().runs_dir, run_id).exists()
    assert page.multiselect(key="runs").value == []


def test_a_teacher_that_is_needed_is_not_deleted(store: Store, every_status: dict[str, str], run_page: RunPage) -> None:
    run_id = every_status["failed"]
    page = run_page("runs", runs=shown(store, run_id))
    page.button(key=f"delete-{run_id}").click().run()
    page.button(key="delete").click().run()
    assert "still needs" in said(page)
    assert store.runs([run_id])


def test_the_filter_narrows_the_table_and_keeps_the_choice(
    store: Store, every_status: dict[str, str], run_page: RunPage
) -> None:
    page = run_page("runs", runs=shown(store, every_status["failed"]))
    page.text_input(key="run_search").set_value("smoke").run()
    assert set(page.dataframe[0].value["name"]) == {"smoke"}
    page.multiselect(key="run_status").set_value([Status.STOPPED]).run()
    assert list(page.dataframe[0].value["number"]) == [5]
    assert page.multiselect(key="runs").value == [every_status["failed"]]
    page.selectbox(key="run_experiment").set_value("digits-quick").run()
    assert not page.dataframe
    assert "No run matches" in said(page)


def test_names_are_shown_as_they_are(store: Store, run_page: RunPage) -> None:
    name = "**a** $x$ :red[b] [c](http://d) <i>e</i>"
    store.add({"1": replace(smoke(), {"name": name})}, {})  # type: ignore[dict-item]
    page = run_page("runs")
    assert not page.exception
    assert f"1 {name}" in said(page)
    assert all(name not in element.value for element in page.markdown)


def test_it_listens_also_where_nothing_trains(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs")  # someone else may start a run
    assert "deit_lab_live_feed" in [element.proto.component_name for element in page.get("bidi_component")]


def test_ticking_another_run_draws_its_curves(store: Store, trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=["2 vit"])
    page.session_state["run_table"] = {"selection": {"rows": [0, 1]}}
    page.session_state["runs"] = [trio["vit"], trio["deit"]]
    page.run()
    alts = [json.loads(element.proto.json).get("alt") for element in page.get("bidi_component")]
    assert [alt for alt in alts if alt] == [
        "Loss of the runs by epoch, at the end: 2 vit 0.0667; 3 deit 0.0667.",
        "Accuracy of the runs by epoch, at the end: 2 vit 93.3%; 3 deit 93.3%.",
    ]


def test_charts_follow_the_address(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page(
        "runs", curve_charts=["Accuracy per head", "Learning rate"], curve_smoothing="0.6", curve_axis="Step"
    )
    assert not page.exception
    assert [
        element.value for element in page.markdown if element.value.startswith("**A") or "Learn" in element.value
    ] == [
        "**Accuracy per head**",
        "**Learning rate**",
    ]
    assert page.slider(key="curve_smoothing").value == 0.6


def test_a_chart_without_curves_says_why(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs", runs=["2 vit"], curve_charts=["Teacher agreement"])
    assert "it needs a DeiT" in said(page)
    page = run_page("runs", runs=["3 deit"], curve_charts=["EMA weights"])
    assert "it needs the end of an epoch of a run with optim.ema at separate" in said(page)


def test_the_title_and_the_choice_are_drawn_before_what_imports_pandas(
    trio: dict[str, str], run_page: RunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mount(*_: object, **__: object) -> None:  # imports pandas in a browser, and in an AppTest does nothing
        raise RuntimeError

    for place in ("dashboard.views.runs.page.live_feed", "dashboard.curves.panel.live_chart"):
        monkeypatch.setattr(place, mount)
    page = run_page("runs")
    assert page.exception
    assert [title.value for title in page.title] == ["Runs"]
    assert page.multiselect(key="runs").value == [*trio.values()]


def test_what_was_trained_together_has_a_verdict_and_leads_on(trio: dict[str, str], run_page: RunPage) -> None:
    page = run_page("runs")
    assert "digits-quick: vit 90.0%, deit 95.0% on test images." in said(page).replace("*", "")
    page.button(key=f"runs-{trio['deit']}-look").click().run()
    assert [page.session_state[side] for side in ("att_left", "att_right")] == [trio["vit"], trio["deit"]]


def test_a_run_that_ends_while_it_is_watched_is_announced(
    every_status: dict[str, str], store: Store, run_page: RunPage
) -> None:
    page = run_page("runs")
    assert not page.toast
    store.set_status(every_status["running"], Status.COMPLETED)
    page.run()
    assert [toast.value for toast in page.toast] == ["4 smoke is completed."]
    assert not page.run().toast
