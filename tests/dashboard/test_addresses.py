"""What a page makes of its address: runs by their ids, and a sentence on whatever cannot be."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Store, enqueue

RunPage = Callable[..., AppTest]


@pytest.fixture
def looked(trio: dict[str, str], store: Store) -> dict[str, str]:
    """The trio of digits-quick, the students with a checkpoint each: name -> id."""
    classes = SOURCES["digits"].classes
    for name in ("vit", "deit"):
        spec = store.run(trio[name]).spec
        card = ModelCard(
            spec=spec, classes=classes, in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1, metrics={}
        )
        for file in ("best", "last"):
            save_weights(
                run_folder(state.settings().runs_dir, trio[name]) / f"{file}.safetensors", build_model(spec), card
            )
    return trio


def infos(page: AppTest) -> list[str]:
    assert not page.exception
    return [info.value.replace("\\", "").replace("\u2060", "") for info in page.info]


@pytest.mark.parametrize(
    ("name", "query", "sentence"),
    [
        ("train", {"preset": "nosuch"}, "preset=nosuch, which cannot be chosen here; it is scattered-quick instead."),
        ("runs", {"run_status": "nosuch"}, "run_status=nosuch, which cannot be chosen here; it is left out."),
        ("runs", {"run_experiment": "nosuch"}, "run_experiment=nosuch, which cannot be chosen here; it is left out."),
        ("runs", {"curve_axis": "nosuch"}, "curve_axis=nosuch, which cannot be chosen here; it is Epoch instead."),
        ("runs", {"curve_smoothing": "7"}, "curve_smoothing=7, which cannot be chosen here; it is 0"),
        (
            "compare",
            {"curve_charts": ["Loss", "x"]},
            "curve_charts=x, which cannot be chosen here; it is Loss instead.",
        ),
        ("compare", {"curve_log": "maybe"}, "curve_log=maybe, which cannot be chosen here; it is False instead."),
        ("data", {"data": "nosuch"}, "data=nosuch, which cannot be chosen here; it is Fashion-MNIST instead."),
        (
            "data",
            {"data": "Digits", "view_image": "0"},
            "view_image=0, which cannot be chosen here; it is 1",
        ),
        (
            "data",
            {"data": "Digits", "fraction": "half"},
            "fraction=half, which cannot be chosen here; it is 1",
        ),
        ("attention", {"att_heads": "nosuch"}, "att_heads=nosuch, which cannot be chosen here; it is mean instead."),
        ("attention", {"att_method": "nosuch"}, "which cannot be chosen here; it is Attention rollout instead."),
        ("attention", {"att_layers": ["1", "99"]}, "att_layers=99, which cannot be chosen here; it is 1, 3 instead."),
        ("attention", {"att_discard": "2"}, "att_discard=2, which cannot be chosen here; it is 0"),
    ],
)
def test_what_an_address_asks_for_in_vain_is_said(
    name: str, query: dict[str, str | list[str]], sentence: str, looked: dict[str, str], run_page: RunPage
) -> None:
    page = run_page(name, **query)
    (said,) = (info for info in infos(page) if "The address asks for" in info)
    assert sentence in said


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("train", {"preset": "digits-quick", "set": "optim.lr=1"}),
        ("train", {"utm_source": "mail"}),
        ("runs", {"curve_axis": "Epoch", "curve_smoothing": "0", "curve_log": "FALSE", "run_search": ""}),
        ("runs", {"curve_axis": "Step", "curve_smoothing": "0.60", "curve_log": "true", "run_status": "completed"}),
        ("data", {"data": "Fashion-MNIST"}),
        (
            "attention",
            {"att_heads": "mean", "att_method": "Attention rollout", "att_layers": ["1", "3"], "att_row": "3"},
        ),
        ("attention", {"att_heads": "head 1", "att_query": "Patch", "att_row": "3"}),
    ],
)
def test_what_an_address_asks_for_and_gets_is_not_remarked_on(
    name: str, query: dict[str, str | list[str]], looked: dict[str, str], run_page: RunPage
) -> None:
    assert not [info for info in infos(run_page(name, **query)) if "address" in info]


# Every number that an address can ask for, by page; with what else the page needs to show its widget.
NUMBERS: dict[str, tuple[dict[str, str | list[str]], list[str]]] = {
    "runs": ({}, ["curve_smoothing", "run_page"]),
    "compare": ({}, ["curve_smoothing"]),
    "data": (
        {"data": "Digits"},
        ["digits_size", "fraction", "val_fraction", "view_image", "view_padding", "view_seed"],
    ),
    "attention": (
        {"att_query": "Patch", "att_class": "0"},
        ["att_image", "att_count", "att_row", "att_column", "att_discard", "att_layers", "att_opacity", "att_vmax"],
    ),
}


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "9" * 5000])
@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_in_an_address_ends_a_page(name: str, value: str, looked: dict[str, str], run_page: RunPage) -> None:
    others, keys = NUMBERS[name]
    page = run_page(name, **others, **dict.fromkeys(keys, value))
    assert not page.exception
    said = [info for info in infos(page) if "The address asks for" in info]
    assert {key for key in keys if any(f"{key}=" in one for one in said)} >= set(keys) - {"run_page"}
    assert all(len(one) < 500 for one in said)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["vit.name=x"], "The runs of an experiment keep their names here"),
        (["vit.name=8", "optim.lr=1e-3"], "runs.1.name should be a valid string, not 8."),
        (["optim.lr=" + "[" * 1500], "optim.lr should be a valid number"),
        (["optim.lr=inf", "optim.epochs=1e300"], "optim.epochs is too large a number"),
        (["a" * 50_000 + "=1"], "There is no field aaa"),
    ],
)
def test_changes_that_cannot_be_made_are_ignored_in_a_sentence(
    changes: list[str], sentence: str, store: Store, run_page: RunPage
) -> None:
    page = run_page("train", preset="digits-quick", set=changes)
    assert not page.exception
    (said,) = (error.value.replace("\\", "") for error in page.error)
    assert sentence in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    ("name", "key"), [("runs", "runs"), ("compare", "compare"), ("attention", "att_left"), ("runs", "run_status")]
)
def test_a_very_long_name_in_an_address_is_not_repeated(
    name: str, key: str, looked: dict[str, str], run_page: RunPage
) -> None:
    long = "a" * 100_000
    page = run_page(name, **{key: [long, *(f"b{number}" for number in range(300))]})
    (said,) = infos(page)
    assert "aaa … " in said
    assert len(said) < 1000


def test_the_sentence_stays_until_that_setting_is_changed(looked: dict[str, str], run_page: RunPage) -> None:
    page = run_page("train", preset="nosuch")
    assert len(infos(page)) == 1
    assert len(infos(page.run())) == 1  # the estimate has come
    page.selectbox(key="preset").set_value("smoke").run()
    assert infos(page) == []


@pytest.mark.parametrize(
    ("name", "key", "runs"),
    [("runs", "runs", ["vit", "deit"]), ("compare", "compare", ["vit", "deit"]), ("attention", "att_left", ["deit"])],
)
def test_an_address_names_runs_by_their_ids(
    name: str, key: str, runs: list[str], looked: dict[str, str], store: Store, run_page: RunPage
) -> None:
    ids = [looked[run] for run in runs]
    page = run_page(name, **{key: ids})
    assert infos(page) == []
    assert all_of(page, key) == ids
    enqueue(store, presets.get("digits-quick"))  # newer ones change nothing
    assert all_of(run_page(name, **{key: all_of(page, key)}), key) == ids


@pytest.mark.parametrize(("name", "key"), [("runs", "runs"), ("compare", "compare"), ("attention", "att_left")])
def test_a_run_of_another_store_is_said(name: str, key: str, looked: dict[str, str], run_page: RunPage) -> None:
    page = run_page(name, **{key: ["a1b2c3d4", looked["vit"]] if key != "att_left" else "a1b2c3d4"})
    assert "Run a1b2c3d4 is not here: deleted" in infos(page)[0]
    assert "another store" in infos(page)[0]
    assert "a1b2c3d4" not in all_of(page, key)


@pytest.mark.parametrize(
    ("name", "key", "old"),
    [
        ("runs", "runs", ["2 vit", "3 deit"]),
        ("compare", "compare", ["2 vit", "3 deit"]),
        ("attention", "att_left", ["2 vit"]),
    ],
)
def test_an_address_of_numbers_still_leads_there_and_becomes_one_of_ids(
    name: str, key: str, old: list[str], looked: dict[str, str], run_page: RunPage
) -> None:
    page = run_page(name, **{key: old})
    (said,) = infos(page)
    assert said.startswith(f"The address named {', '.join(old)} by number, which is another run in another store.")
    assert all_of(page, key) == [looked[one.split()[1]] for one in old]


@pytest.mark.parametrize(("name", "key"), [("runs", "runs"), ("compare", "compare")])
def test_a_number_with_another_name_leads_nowhere(
    name: str, key: str, looked: dict[str, str], run_page: RunPage
) -> None:
    assert "Run 2 swin is not here" in infos(run_page(name, **{key: ["2 swin"]}))[0]


def all_of(page: AppTest, key: str) -> list[str]:
    value = page.query_params[key]
    return value if isinstance(value, list) else [value]
