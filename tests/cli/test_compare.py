"""The comparison in a terminal and as JSON, of runs that are trained here, and of names that mean to do harm."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from program import Program

from deit_core.runs import open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, replace


@pytest.fixture
def ids(deit: Program, tiny_trio: ExperimentSpec) -> dict[str, str]:
    """A teacher, a ViT with the name of a formula and of markup, and a DeiT; trained for an epoch."""
    teacher, vit, student = replace(tiny_trio, {"optim.epochs": 1}).runs
    settings = Settings.from_env()
    store = open_store(settings.store_url)
    for spec in (tiny_trio.with_changes(runs=(teacher, student)), replace(vit, {"name": "=1+1 [red]"})):
        _, mistake = train_here(store, settings, spec, lambda *_: None)
        assert mistake is None
    ids = {run.name: run.id for run in store.runs()}
    store.close()
    return ids


def test_two_runs_are_compared_in_words_and_in_json(
    deit: Program, ids: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    vit, student = ids["=1+1 [red]"], ids["deit"]
    done = deit("compare", vit, student, "--json")
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    runs = {run["id"]: run["results"] for run in json.loads(deit("runs", "--json").stdout)}
    assert [one["run"]["id"] for one in document["models"]] == [ids["teacher"], vit, student]
    for one in document["models"]:
        assert one["accuracy"] == pytest.approx(runs[one["run"]["id"]]["test_accuracy"], abs=1e-12)
    done = deit("compare", vit, student)
    assert done.code == 0, done.stderr
    text = done.stdout.decode()
    assert text.startswith(document["verdict"]["sentences"][0])
    (taught,) = document["training_views"]
    assert taught["counts"]["num_views"] == 1120  # 35 batches of 32 of 1,149 images
    assert taught["counts"]["contradicted"] == len(taught["contradicted"])
    for words in ("=1+1 [red]", "Right in each class", "deit, distillation", "What teacher passed on"):
        assert words in text
    assert taught["sentence"] in " ".join(text.split())
    file = tmp_path / "runs" / vit / "predictions.safetensors"
    file.unlink()
    done = deit("compare", vit, student)
    assert (done.code, done.stdout) == (2, b"")
    assert done.last_line.endswith(f"`python -m deit_core predict {vit}` makes them.")
    done = deit("predict", vit)
    assert done.stdout.decode().strip() == str(file)
    assert json.loads(deit("compare", vit, student, "--json").stdout) == document


def test_a_comparison_is_one_file_that_asks_for_nothing_else(
    deit: Program, ids: dict[str, str], tmp_path: Path
) -> None:
    """Read as a browser reads it: names are words, figures are whole, and no address leads out."""
    out = tmp_path / "page.html"
    done = deit("compare", ids["=1+1 [red]"], ids["deit"], "--html", str(out))
    assert (done.code, done.stdout.decode().strip()) == (0, str(out)), done.stderr
    page = Page()
    page.feed(out.read_text(encoding="utf-8"))
    assert page.headings[0] == "=1+1 [red] and deit"
    assert "Images that deit is right on and =1+1 [red] is not" in page.headings
    assert "Where the teacher of deit contradicts the label" in page.headings
    assert any(words.startswith("View of training image ") for words in page.alternatives)
    figures = [json.loads(figure) for figure in page.figures]
    assert len(figures) == 3 + 1 + 3 + 1
    assert all(figure["data"] and figure["layout"] for figure in figures)
    assert {address.partition(",")[0] for address in page.addresses} <= {"data:image/png;base64"}
    assert page.policy.startswith("default-src 'none'")


class Page(HTMLParser):
    """Collects what the test asks about."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.figures: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.policy = ""
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._tag = tag
        self.addresses += [found[name] for name in ("src", "href") if name in found]
        self.alternatives += [found["alt"]] if "alt" in found else []
        self.figures += [found["data-figure"]] if "data-figure" in found else []
        self.policy = found.get("content", self.policy) if "http-equiv" in found else self.policy

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("h1", "h2"):
            self.headings.append(data)
