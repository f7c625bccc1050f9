"""Home says what this is and leads on, before anything has trained and while something trains."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from deit_core import presets
from deit_core.runs import Store, enqueue


def links(page: AppTest) -> list[str]:
    return [link.page.strip("/") for link in page.get("page_link")]


def test_a_newcomer_reads_what_it_is_and_has_three_ways_to_begin(run_page: Callable[..., AppTest]) -> None:
    page = run_page("home")
    assert not page.exception
    assert page.title[0].value == "DeiT Lab"
    assert links(page) == ["attention", "learn", "system"]
    assert "Nothing leaves this machine" in page.caption[-1].value
    assert not {"Now", "Last results"} & {heading.value for heading in page.header}


def test_one_click_queues_the_first_three_models_and_leads_to_their_curves(
    run_page: Callable[..., AppTest], store: Store
) -> None:
    page = run_page("home")
    next(button for button in page.button if button.label == "Start training").click().run()
    runs = store.runs()
    assert [run.name for run in reversed(runs)] == ["teacher", "vit", "deit"]
    assert {run.experiment_name for run in runs} == {"scattered-quick"}
    assert sorted(page.session_state["runs"]) == sorted(run.id for run in runs)


def test_what_trains_and_what_waits_is_shown(run_page: Callable[..., AppTest], every_status: dict[str, str]) -> None:
    page = run_page("home")
    assert not page.exception
    assert "Now" in [heading.value for heading in page.header]
    assert "runs" in links(page)


def test_the_last_results_have_a_verdict_and_lead_on(run_page: Callable[..., AppTest], trio: dict[str, str]) -> None:
    page = run_page("home")
    assert "Last results" in [heading.value for heading in page.header]
    said = next(text.value for text in page.markdown if "on test images" in text.value)
    assert "vit 90.0%" in said.replace("\\", "")  # of runs that keep no answers only the accuracy is known
    page.button(key=f"home-{trio['deit']}-compare").click().run()
    assert page.session_state["compare"] == [trio["vit"], trio["deit"]]


def test_no_name_becomes_markup(run_page: Callable[..., AppTest], store: Store) -> None:
    enqueue(store, presets.smoke().with_changes(name="**bold** <b>x</b>"))
    page = run_page("home")
    assert not page.exception
    (shown,) = [bar.proto.text for bar in page.get("progress")]
    assert "\\*\\*bold" in shown
