"""Tables that are saved as CSV: a name is text in a spreadsheet, and a number a number."""

import csv
import io

import pytest

from dashboard.tables import points_table, run_table
from deit_core.presets import smoke
from deit_core.runs import NewPoint, Store, enqueue
from deit_core.spec import replace


@pytest.mark.parametrize("name", ['=HYPERLINK("http://elsewhere.example")', "+1+1", "-1+1", "@SUM(1)", "\t=1"])
def test_a_name_is_no_formula(store: Store, name: str) -> None:
    (run_id,) = enqueue(store, replace(smoke(), {"name": name}))
    store.add_points(run_id, [NewPoint("step", 1, 0.1, 0.1, {"train_loss": -0.5})])
    run = store.run(run_id)
    (point,) = csv.DictReader(io.StringIO(points_table([(run, store.points(run_id))]).to_csv(index=False)))
    assert point["name"] == f"'{name}"
    assert point["train_loss"] == "-0.5"
    assert list(run_table([run], [run])["name"]) == [f"'{name}"]


def test_a_name_without_a_formula_is_as_it_was_typed(store: Store) -> None:
    (run_id,) = enqueue(store, replace(smoke(), {"name": "vit = 2"}))
    run = store.run(run_id)
    assert list(run_table([run], [run])["name"]) == ["vit = 2"]
