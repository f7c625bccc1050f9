"""A comparison of two runs as one HTML file that opens without a network: verdict, tables, figures, images.

Knows two runs and the document of their comparison; not where the images come from.
"""

import html
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any, NamedTuple

import cv2
import numpy as np
from jinja2 import Environment
from numpy.typing import NDArray

from deit_core.errors import RunError
from deit_core.plain_text import file_name, harmless
from deit_core.results.comparison_document import comparison_document
from deit_core.results.comparison_figures import (
    FEW_IMAGES_NOTE,
    Drawn,
    class_figure,
    confusion_figures,
    has_matrices,
    reliability_figure,
    soft_label_figures,
    sureness_sentences,
)
from deit_core.results.taught_views import TaughtViews
from deit_core.results.two_runs import TwoRuns

NUM_PICTURES = 24
_SHOWN = {"name", "text", "x", "y", "customdata"}  # the words of a trace that Plotly reads as markup


class Picture(NamedTuple):
    """An image of the gallery. `png` is in base 64."""

    png: str
    caption: str
    alt: str

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], caption: str, alt: str) -> "Picture":
        """Args: pixels: (height, width, 3)."""
        _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        return cls(b64encode(encoded.tobytes()).decode(), caption, alt)


class _Table(NamedTuple):
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class _Section(NamedTuple):
    title: str
    tables: Sequence[_Table] = ()
    figures: Sequence[Drawn] = ()
    pictures: Sequence[Picture] = ()
    note: str = ""


def comparison_html(two: TwoRuns, pictures: Sequence[Picture] | None) -> str:
    """The whole file.

    Args: pictures: of the images that only the second is right on; None where they cannot be read.
    """
    document = comparison_document(two)
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["file_name"] = file_name
    template = environment.from_string(files("deit_core.results").joinpath("comparison.html.jinja").read_text("utf-8"))
    sections = [
        _models(document),
        _mistakes(two),
        _gallery(two, pictures),
        _disagreement(document),
        *_passed_on(two, document),
        *(_taught(one, two.classes) for one in two.taught),
        _Section(
            "Calibration",
            [_calibration(document)],
            [reliability_figure(two)],
            note=f"{' '.join(sureness_sentences(two))} {FEW_IMAGES_NOTE}",
        ),
    ]
    verdict = document["verdict"]
    page = template.render(
        first=harmless(two.first.name),
        second=harmless(two.second.name),
        sentences=[harmless(one) for one in verdict["sentences"]],
        warnings=[harmless(one) for one in (*verdict["warnings"], *document["notes"])],
        next_steps=[harmless(one) for one in verdict["next_steps"]],
        sections=[_literal(section) for section in sections],
        provenance=_provenance(two),
        figures=files("deit_core.results").joinpath("figures.js").read_text("utf-8"),
        plotly=_plotly(),
    )
    return page + "\n"


def _plotly() -> str:
    """Its script. Raises: RunError where it is not installed."""
    try:
        return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    except ModuleNotFoundError:
        raise RunError(
            "The page of a comparison needs plotly, which is not installed; run `python -m pip install "
            '"deit-lab[dashboard]"`.'
        ) from None


def _models(document: Mapping[str, Any]) -> _Section:
    rows = [(one["name"], one["run"]["role"], f"{one['accuracy']:.2%}") for one in document["models"]]
    caption = f"On {document['num_images']:,} {document['part']} images"
    return _Section("Models", [_Table(caption, ("Model", "Role", "Right"), rows)])


def _mistakes(two: TwoRuns) -> _Section:
    if not has_matrices(two):
        return _Section("Mistakes", note=f"Matrices of {len(two.classes):,} classes would be too small to read.")
    note = (
        "Each row is a true class, each column an answer. A cell is the share of the images of that class that get "
        "that answer, in percent."
    )
    return _Section("Mistakes", figures=[*confusion_figures(two), class_figure(two)], note=note)


def _gallery(two: TwoRuns, pictures: Sequence[Picture] | None) -> _Section:
    title = f"Images that {two.second.name} is right on and {two.first.name} is not"
    if pictures is None:
        return _Section(title, note="The images are not on the machine where this file was made.")
    return _Section(title, pictures=pictures, note="" if pictures else "There is none.")


def _disagreement(document: Mapping[str, Any]) -> _Section:
    names, shares = document["disagreement"]["names"], document["disagreement"]["shares"]
    rows = [(name, *(f"{share:.1%}" for share in row)) for name, row in zip(names, shares, strict=True)]
    return _Section("Who disagrees with whom", [_Table("Share of images on which two differ", ("", *names), rows)])


def _passed_on(two: TwoRuns, document: Mapping[str, Any]) -> Iterable[_Section]:
    if two.teacher is None or (found := document["passed_on"]) is None:
        return
    rows = [
        (name, *(f"{one[which]:,}" for which in ("same", "other", "right")), _number(found["rank_correlation"][name]))
        for name, one in found["inherited"].items()
    ]
    head = ("Student", "The same mistake", "Another mistake", "Right", "Rank correlation of soft labels")
    table = _Table(f"Where {found['teacher']} is wrong, and how it ranks the other classes", head, rows)
    figures = soft_label_figures(two, two.teacher) if has_matrices(two) else []
    yield _Section("What the teacher passed on", [table], figures, note=" ".join(found["sentences"]))


def _taught(taught: TaughtViews, classes: Sequence[str]) -> _Section:
    pictures = [
        Picture.of(one.picture, one.caption(classes), one.alt(classes))
        for one in taught.contradicted_views
        if one.picture is not None
    ]
    title = f"Where the teacher of {taught.name} contradicts the label"
    return _Section(title, pictures=pictures, note=taught.sentence)


def _calibration(document: Mapping[str, Any]) -> _Table:
    rows = []
    for one in document["models"]:
        found = one["calibration"]
        numbers = found["error"], found["negative_log_likelihood"], found["temperature"], found["with_temperature"]
        rows.append((one["name"], *("–" if number is None else f"{number:.4f}" for number in numbers)))
    head = ("Model", "Calibration error", "Negative log likelihood", "Best temperature", "The same at that temperature")
    return _Table("Is a model right as often as it says?", head, rows)


def _number(found: Mapping[str, Any]) -> str:
    return "–" if found["mean"] is None else f"{found['mean']:.3f}"


def _provenance(two: TwoRuns) -> str:
    runs = ", ".join(f"run {one.run.id}" for one in two.models)
    return f"Written by DeiT Lab {version('deit-lab')} from {runs}."


def _literal(section: _Section) -> _Section:
    """With people's words on one line that shows as it is, in HTML and in Plotly's markup."""
    tables = [
        _Table(harmless(one.caption), [*map(harmless, one.head)], [[*map(harmless, row)] for row in one.rows])
        for one in section.tables
    ]
    figures = [
        Drawn(harmless(title), figure | {"data": [_for_plotly(trace) for trace in figure["data"]]}, harmless(alt))
        for title, figure, alt in section.figures
    ]
    pictures = [Picture(png, harmless(caption), harmless(alt)) for png, caption, alt in section.pictures]
    return _Section(harmless(section.title), tables, figures, pictures, harmless(section.note))


def _for_plotly(trace: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _escaped(value) if key in _SHOWN else value for key, value in trace.items()}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(harmless(value), quote=False)
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value
