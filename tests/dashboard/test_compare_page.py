"""The Compare page: a default worth looking at, numbers with their differences, and no unfair comparison unremarked."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from deit_core import presets
from deit_core.runs import RunUpdate, Status, Store, enqueue
from deit_core.spec import AnySpec, replace

RunPage = Callable[..., AppTest]


def said(page: AppTest) -> str:
    """All text of the page, without the signs that keep markdown literal."""
    return literal(
        "\n".join(element.value for kind in ("markdown", "caption", "info", "warning") for element in page.get(kind))
    )


def literal(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "")


def results(page: AppTest) -> dict[str, list[str]]:
    table = page.table[0].value
    return {row[0]: [literal(cell) for cell in row[1:]] for row in table.itertuples(index=False)}


def settings(page: AppTest) -> dict[str, list[str]]:
    table = page.table[-1].value
    return {row[0].split("`")[1]: [literal(cell) for cell in row[1:]] for row in table.itertuples(index=False)}


def a_variant(store: Store, spec: AnySpec, tmp_path: object) -> str:
    """A completed run beside the trio: its label."""
    (run_id,) = enqueue(store, spec)  # type: ignore[arg-type]
    store.set_status(run_id, Status.COMPLETED, update=RunUpdate(step=20, total_steps=20))
    run = store.run(run_id)
    return f"{run.number} {run.name}"


def test_it_takes_two_runs_that_have_begun(run_page: RunPage, every_status: dict[str, str], store: Store) -> None:
    for name in ("failed", "completed", "stopped", "interrupted"):
        store.add_points(every_status[name], [], RunUpdate(step=0))
    page = run_page("compare")
    assert not page.exception
    assert "Choose two runs that have started" in page.info[0].value
    assert page.page_link[0].value == "Train a teacher, a ViT and a DeiT"


def test_the_newest_vit_and_deit_are_compared_at_first(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("compare")
    assert not page.exception
    assert page.multiselect(key="compare").value == [trio["vit"], trio["deit"]]
    assert "A fair comparison" in said(page)
    assert not page.warning


def test_numbers_come_with_their_difference_to_the_first_run(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("compare", compare=["3 deit", "2 vit"])
    found = results(page)
    assert found["Test accuracy"] == ["95.00%", "90.00% (−5.00 points)"]
    assert found["Test loss"] == ["0.2000", "0.2000"]
    assert found["Training time"] == ["1 min", "1 min"]
    assert found["Images per second"] == ["1,000", "1,000"]
    assert found["FLOPs per image"] == ["9.83 M", "9.65 M (×0.98)"], "by hand: 9,834,624 and 9,647,616"
    assert found["Time to 85.0% on validation"] == ["2 s", "2 s"]
    assert "Test accuracy, class head" not in found
    assert "With 360 test images, a difference of less than 3.8 percentage points" in said(page)


def test_one_pair_says_how_much_of_the_teachers_lead_it_closed(
    run_page: RunPage, trio: dict[str, str], store: Store
) -> None:
    for name, accuracy in (("teacher", 0.98), ("vit", 0.90), ("deit", 0.92)):
        store.set_status(trio[name], Status.COMPLETED, update=RunUpdate(results={"test_accuracy": accuracy}))
    page = run_page("compare")
    assert "What distillation changed" in [heading.value for heading in page.header]
    (row,) = page.table[1].value.itertuples(index=False)
    assert [literal(cell) for cell in row] == [
        *("3 deit minus 2 vit", "+2.00", "1", "–", "+2.00"),
        "25% (an interval needs 3 seeds)",
    ]


def test_only_settings_that_differ_are_listed(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("compare")
    found = settings(page)
    (kind,) = [cell for cell in page.table[-1].value["Setting"] if cell.startswith("`distillation.kind`")]
    assert all(one in kind for one in ("hard", "soft")), "its meaning says both"
    assert found["model.distilled"][:2] == ["False", "True"]
    assert found["distillation.teacher"][:2] == ["–", "1 teacher"]
    assert {one.partition(".")[0] for one in found} == {"model", "distillation"}
    assert set(found) >= {"distillation.kind", "distillation.alpha", "distillation.tau", "distillation.mixed_labels"}


def test_an_unfair_pair_is_remarked_with_what_differs_and_why(
    run_page: RunPage, trio: dict[str, str], store: Store, tmp_path: object
) -> None:
    vit = presets.get("digits-quick").runs[1]  # type: ignore[union-attr]
    other = a_variant(store, replace(vit, {"seed": 1, "optim.batch_size": 64}), tmp_path)
    page = run_page("compare", compare=["2 vit", other])
    (warning,) = page.warning
    text = literal(warning.value)
    assert "A comparison of **2 vit** with **4 vit** is not fair" in text
    assert "seed (42 and 1): they start from different weights" in text
    assert "optim.batch_size (32 and 64): one takes more steps in an epoch" in text
    assert "A fair comparison" not in said(page)


def test_a_setting_that_is_empty_is_none(
    run_page: RunPage, trio: dict[str, str], store: Store, tmp_path: object
) -> None:
    vit = presets.get("digits-quick").runs[1]  # type: ignore[union-attr]
    other = a_variant(store, replace(vit, {"data.source": "folder", "data.path": "pets"}), tmp_path)
    page = run_page("compare", compare=["2 vit", other])
    assert "data.path (none and pets)" in literal(page.warning[0].value)
    assert settings(page)["data.path"][:2] == ["–", "pets"]


def test_runs_that_are_unfair_for_the_same_reasons_share_a_warning(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("compare", compare=["1 teacher", "2 vit", "3 deit"])
    (warning,) = page.warning
    assert "**2 vit** and **3 deit**" in literal(warning.value)


@pytest.mark.parametrize(("status", "epoch"), [(Status.RUNNING, 0), (Status.STOPPED, 3)])
def test_a_run_that_is_not_finished_is_named(
    run_page: RunPage, trio: dict[str, str], store: Store, status: Status, epoch: int
) -> None:
    store.set_status(trio["deit"], status, update=RunUpdate(results={}, epoch=epoch))
    page = run_page("compare", compare=["2 vit", "3 deit"])
    assert not page.exception
    assert f"3 deit ({status}, epoch {epoch} of 20)" in said(page)
    assert results(page)["Test accuracy"] == ["90.00%", "–"]
    assert "can be chance" not in said(page)


def test_runs_with_the_same_settings_have_none_that_differ(
    run_page: RunPage, trio: dict[str, str], store: Store, tmp_path: object
) -> None:
    twin = a_variant(store, presets.get("digits-quick").runs[1], tmp_path)  # type: ignore[union-attr]
    page = run_page("compare", compare=["2 vit", twin])
    assert not page.exception
    assert "all settings of the runs are the same" in said(page)
    assert len(page.table) == 1


def test_one_run_is_no_comparison(run_page: RunPage, trio: dict[str, str]) -> None:
    page = run_page("compare", compare=["2 vit"])
    assert "Choose two or more runs" in said(page)
    assert not page.table


def test_names_are_shown_as_they_are(run_page: RunPage, trio: dict[str, str], store: Store, tmp_path: object) -> None:
    name = "**a** $x$ :red[b]"
    other = a_variant(store, replace(presets.get("smoke"), {"name": name}), tmp_path)
    page = run_page("compare", compare=["2 vit", other])
    assert not page.exception
    assert name in said(page)
    assert literal(page.table[0].value.columns[2]) == f"4 {name}"
    assert name not in page.table[0].value.columns[2]
    assert all(name not in element.value for element in page.warning)


def test_several_seeds_are_told_with_mean_spread_and_paired_differences(run_page: RunPage, store: Store) -> None:
    accuracies = {"vit": 0.90, "deit": 0.93, "vit-s43": 0.88, "deit-s43": 0.92, "vit-s44": 0.89, "deit-s44": 0.91}
    for run_id in enqueue(store, replace(presets.get("digits-quick"), {"seeds": 3})):
        results = {"test_accuracy": accuracies.get(store.run(run_id).name, 0.99)}
        update = RunUpdate(step=20, total_steps=20, results=results)
        store.set_status(run_id, Status.COMPLETED, update=update)
    page = run_page("compare", compare=["2 vit", "3 deit"])
    assert "Over several seeds" not in [heading.value for heading in page.header]
    page.button(key="add_seeds").click().run()
    assert not page.exception
    assert not page.warning
    assert "A fair comparison: seed by seed" in said(page)
    groups, differences = (
        [[literal(cell) for cell in row] for row in page.table[index].value.itertuples(index=False)] for index in (1, 2)
    )
    assert groups == [
        ["vit (2, 4, 6)", "42, 43, 44", "89.00 ± 1.00%"],
        ["deit (3, 5, 7)", "42, 43, 44", "92.00 ± 1.00%"],
    ]
    (row,) = differences  # +3, +4, +2: mean 3, sd 1, half the interval 4.3027 / sqrt(3)
    assert row == [
        *("deit (3, 5, 7) minus vit (2, 4, 6)", "+3.00 ± 1.00", "3", "+0.52 to +5.48", "+3.00, +4.00, +2.00"),
        "30% (6% to 52%)",  # leads 9, 11 and 10
    ]
    assert not [button for button in page.button if button.key == "add_seeds"]


def test_the_first_pair_shares_its_seed(run_page: RunPage, store: Store) -> None:
    for run_id in enqueue(store, replace(presets.get("digits-quick"), {"seeds": 2}))[:-1]:  # all but deit-s43
        update = RunUpdate(step=20, total_steps=20, results={"test_accuracy": 0.9})
        store.set_status(run_id, Status.COMPLETED, update=update)
    page = run_page("compare")
    assert [store.run(run_id).name for run_id in page.multiselect(key="compare").value] == ["vit", "deit"]


def test_a_seed_without_its_counterpart_is_still_unfair(run_page: RunPage, trio: dict[str, str], store: Store) -> None:
    deit = store.run(trio["deit"]).spec
    other = a_variant(store, replace(deit, {"seed": 43}), None)
    page = run_page("compare", compare=["2 vit", other])
    assert "seed (42 and 43)" in literal(page.warning[0].value)
