"""Figures are drawn while a DeiT trains, and can be taken away: as PNG, SVG and CSV, from a page and from a file.

Trains a small trio with a real worker, and reads the files that the browser saves.
"""

import csv
import html
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import psutil
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from deit_core.plain_text import cell
from deit_core.results.comparison_html import comparison_html
from deit_core.results.two_runs import compare_runs
from deit_core.runs import LocalLauncher, Run, Status, Store, open_store, queue
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, replace

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "deit_core" / "results" / "figures.js"
_TRAINING_S = 1200  # seconds where nothing else computes

pytestmark = pytest.mark.browser

WaitUntil = Callable[..., None]

# Titles of charts, and a metric that each draws.
LIVE = {
    "Agreement with the teacher, validation": "val_agreement_class",
    "Entropy of the heads": "val_entropy_distillation",
    "Cosine of the two tokens": "val_token_cosine_0",
}
TEXTS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    " =1",
    "\t=1",
    "\n=1",
    "\u00a0=1",
    "a,b",
    'a"b',
    "<b>",
    "&lt;",
    "日本",
    "",
    "1",
]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """With a teacher, a ViT and a DeiT that wait for a worker; the DeiT trains until it is stopped."""
    store = open_store(settings.store_url)
    yield store
    for _, pid, _ in queue.registered_here(store):
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()
    store.close()


def submitted(store: Store, settings: Settings, trio: ExperimentSpec) -> dict[str, str]:
    teacher, vit, deit = trio.runs
    long = trio.with_changes(runs=(teacher, vit, replace(deit, {"optim.epochs": 5000})))
    ids = LocalLauncher(store, settings).submit(long)
    return {store.run(run_id).name: run_id for run_id in ids}


def chart(page: Page, title: str) -> Locator:
    node = page.locator(f'[role="figure"][aria-label^="{title} of the runs"]')
    expect(node.locator(".main-svg").first).to_be_visible()
    return node


def lengths(node: Locator) -> list[int]:
    found: list[int] = node.evaluate("node => node.data.map((trace) => trace.x.length)")
    return found


def saved(page: Page, title: str, way: str) -> tuple[str, bytes]:
    """The name and the content of what a button gives that is pressed with the keyboard."""
    button = page.get_by_role("group", name=f"Save {title}", exact=True).get_by_role("button", name=way, exact=True)
    button.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return download.value.suggested_filename, download.value.path().read_bytes()


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


def check_picture(png: bytes, svg: bytes, node: Locator) -> str:
    """Both are dark on white, whatever the page looks like, and of the size of the figure; returns the SVG's words."""
    width, height = node.evaluate("node => [node.clientWidth, node.clientHeight]")
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == (2 * width, 2 * height)
        grey = picture.convert("L")
        assert {picture.convert("RGBA").getpixel((x, y)) for x in (0, 2 * width - 1) for y in (0, 2 * height - 1)} == {
            (255, 255, 255, 255)
        }
        assert grey.getextrema()[0] < 118, "words have a contrast of 4.5 and more"
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == (str(width), str(height))
    assert b"fill: rgb(95, 95, 90)" in svg, "of the titles of axes"
    return " ".join(root.itertext())


def test_a_deit_is_drawn_while_it_trains_and_its_figures_are_saved(
    page: Page,
    serve_app: Callable[..., str],
    store: Store,
    settings: Settings,
    tiny_trio: ExperimentSpec,
    wait_until: WaitUntil,
    page_errors: list[str],
    tmp_path: Path,
) -> None:
    env = {"DEIT_RUNS_DIR": str(settings.runs_dir), "DEIT_DATA_DIR": str(settings.data_dir), "DEIT_WORKERS": "1"}
    url = serve_app(ROOT / "dashboard" / "app.py", env=env)
    ids = submitted(store, settings, tiny_trio)
    page.emulate_media(color_scheme="dark")
    wait_until(lambda: store.run(ids["deit"]).epoch, _TRAINING_S)
    page.goto(f"{url}/runs?{urlencode({'runs': '3 deit', 'curve_charts': list(LIVE)}, doseq=True)}")

    # Points arrive in the charts that stand there: neither the page nor a chart is made anew.
    charts = {title: chart(page, title) for title in LIVE}
    before = {title: lengths(node) for title, node in charts.items()}
    for node in charts.values():
        node.evaluate("node => { node.mark = 'it' }")
    for title, node in charts.items():
        wait_until(lambda title=title, node=node: min(lengths(node)) > max(before[title]), _TRAINING_S)
        assert node.evaluate("node => node.mark") == "it"

    store.stop(ids["deit"])
    wait_until(lambda: store.run(ids["deit"]).status == Status.STOPPED, _TRAINING_S)
    points = store.points(ids["deit"], kind="epoch")
    for title, metric in LIVE.items():
        node = charts[title]
        wait_until(lambda node=node: min(lengths(node)) == len(points))
        name, content = saved(page, title, "CSV")
        assert name == f"{title.replace(' ', '-').replace(',', '-')}.csv"
        head, *rows = table(content)
        assert head[0] == "Epoch"
        assert [float(row[0]) for row in rows] == [point.epoch for point in points]
        columns = node.evaluate("node => node.data.map(({ meta }) => [meta.metric, meta.column])")
        assert head[1:] == [column for _, column in columns]
        place = head.index(dict(columns)[metric])
        assert [float(row[place]) for row in rows] == [point.metrics[metric] for point in points]
    title = "Entropy of the heads"
    (png_name, png), (svg_name, svg) = saved(page, title, "PNG"), saved(page, title, "SVG")
    assert (png_name, svg_name) == ("Entropy-of-the-heads.png", "Entropy-of-the-heads.svg")
    words = check_picture(png, svg, charts[title])
    assert "3 deit, class head" in words
    assert "Epoch" in words
    assert page_errors == []

    check_file(
        page, tmp_path, compare_runs(store, settings.runs_dir, ids["teacher"], ids["vit"]), store.run(ids["vit"])
    )
    assert page_errors == []


def check_file(page: Page, folder: Path, two: Any, vit: Run) -> None:
    """The comparison as a file offers the same, without a network."""
    (folder / "page.html").write_text(comparison_html(two, []), encoding="utf-8")
    page.goto((folder / "page.html").as_uri())
    node = page.get_by_role("application", name=f"Confusion matrix of {vit.name}")
    expect(node.locator(".main-svg").first).to_be_visible()
    (name, content), (_, png), (_, svg) = (saved(page, f"Mistakes, {vit.name}", way) for way in ("CSV", "PNG", "SVG"))
    assert name == f"Mistakes-{vit.name}.csv"
    head, *rows = table(content)
    assert head == ["true class / answer", *two.classes]
    cells = node.evaluate("node => node.data[0].z")
    assert [row[0] for row in rows] == list(two.classes)
    assert [[float(value) for value in row[1:]] for row in rows] == cells
    assert "true class" in check_picture(png, svg, node)


@pytest.fixture
def csv_of(page: Page) -> Callable[[Any], list[list[str]]]:
    """What a figure is as CSV."""
    page.set_content("<p>a page</p>")
    page.add_script_tag(path=FIGURES)
    return lambda figure: table(page.evaluate("figure => csvOf(figure)", figure).encode())


def test_words_are_the_same_in_every_csv(csv_of: Callable[[Any], list[list[str]]]) -> None:
    """No formula is one, by the rule of the core; and no word loses anything."""
    sent = [html.escape(text, quote=False) for text in TEXTS]
    bars = [{"type": "bar", "name": name, "x": sent, "y": list(range(len(TEXTS)))} for name in ("=A1", "a &lt; b")]
    head, *rows = csv_of({"data": bars, "layout": {"xaxis": {"title": {"text": "Class"}}}})
    assert head == ["Class", "'=A1", "a < b"]
    assert [row[0] for row in rows] == [cell(text) for text in TEXTS]
    assert [row[1:] for row in rows] == [[str(number)] * 2 for number in range(len(TEXTS))]
    matrix = {"type": "heatmap", "x": sent, "y": sent[:1], "z": [[0.1] * len(sent)]}
    assert csv_of({"data": [matrix], "layout": {}})[0][1:] == [cell(text) for text in TEXTS]


def test_lines_over_other_places_have_other_columns(csv_of: Callable[[Any], list[list[str]]]) -> None:
    lines = [
        {"type": "scatter", "name": "a", "x": [1, 2, 3], "y": [-0.5, None, 1e-7]},
        {"type": "scatter", "name": "b", "x": [0.04, 1.04], "y": [1, 2], "meta": {"places": ["on", "off"]}},
        {"type": "scatter", "x": [1, 2, 3], "y": [4, 5, 6], "error_y": {"array": [0.1, 0.2, 0.3]}},
    ]
    layout = {"xaxis": {"title": {"text": "Epoch"}}, "yaxis": {"title": {"text": "Loss"}}}
    assert csv_of({"data": json.loads(json.dumps(lines)), "layout": layout}) == [
        ["Epoch", "a", "Loss", "Loss ±", "Epoch", "b"],
        ["1", "-0.5", "4", "0.1", "on", "1"],
        ["2", "", "5", "0.2", "off", "2"],
        ["3", "1e-7", "6", "0.3", "", ""],
    ]
    assert csv_of({"data": [], "layout": {}}) == [[]]
