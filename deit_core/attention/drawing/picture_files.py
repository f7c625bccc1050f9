"""Image files explained as picture files: what the Attention page shows, without a browser.

Knows files; nothing of what is drawn.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from deit_core.attention.drawing.cells import Map, Scales, Tile, draw_sheet, scales_of
from deit_core.attention.drawing.film import encode_gif
from deit_core.attention.drawing.sheet import encode_npz, encode_png
from deit_core.attention.drawing.views import View, check_view, file_settings, view
from deit_core.attention.flow.prepared import PreparedRollout
from deit_core.attention.look import Look
from deit_core.attention.methods.table import METHODS
from deit_core.attention.overlay import Picture, rgb
from deit_core.attention.viewer import Pixels, Viewer
from deit_core.catalog import ViewName
from deit_core.data.sources.decoding import read_image
from deit_core.errors import DataError
from deit_core.files import write_atomically
from deit_core.image_folders import ONE_FORMAT, images_in, in_utf8
from deit_core.layout import RunFiles
from deit_core.models import FileReading, Reading
from deit_core.refusals import refusal
from deit_core.spec import RolloutSpec

_FRAME_S = 0.4


class Drawn(NamedTuple):
    """A picture file, the image it explains, the class that the model predicts, and how faithful its first map is.

    label, probability: None of a backbone, which predicts nothing.
    faithfulness: where it was measured, `area` between its LeRF and MoRF curves, `centre_area`, that of the centre
        prior, and the `percentile` of the map's among five random orders; tokens are dropped.
    """

    path: Path
    image: Path
    label: str | None
    probability: float | None
    faithfulness: dict[str, float] | None = None


@dataclass(frozen=True, eq=False)
class _FileSubject:
    """A model that looks at one picture, (C, S, S), as views ask for it."""

    viewer: Viewer
    pixels: Pixels

    @property
    def card(self) -> Reading:
        return self.viewer.card

    @cached_property
    def look(self) -> Look:
        return self.viewer.look(self.pixels[None])

    def prepared(self, *, head_fusion: str | int, scope: str) -> PreparedRollout:
        return self.look.prepare(head_fusion=head_fusion, scope=scope)

    def explain(self, method: str, *, query: str | int, target: int | None) -> Map:
        maps = self.viewer.explain(self.pixels[None], METHODS[method].explain, query=query, target=target)
        first: Map = maps[0]
        return first


def draw_pictures(
    checkpoint: Path,
    images: Sequence[Path],
    out: Path,
    spec: RolloutSpec,
    *,
    view_name: ViewName = "maps",
    invert: bool = False,
    with_npz: bool = False,
    with_faithfulness: bool = False,
    img_size: int | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Drawn]:
    """Explain each image file, as `out`/NAME.METHOD.png, or .VIEW.png, or .film.gif.

    Args:
        checkpoint: a run's folder, a checkpoint, an export, or a file or folder of others.
        images: files, and folders whose own images are taken in the order of their names.
        invert: turn light into dark, for photographs of dark things on white.
        with_npz: write the numbers next to each picture: every map, what the model saw, and the settings as JSON.
        img_size: side in pixels, see `Viewer.load`.
        with_faithfulness: measure whether the prediction rests on what the map points at; for a transformer's maps.
        note: is called with each thing that had to be taken as it is published, since no file says it.
    Raises: DeitError where the checkpoint is damaged, the model cannot be explained like this, a file is no image, two
        files would be drawn into one, an option is out of bounds, or nothing can be written to `out`.
    """
    files = find_images(images)
    viewer = Viewer.load(checkpoint, img_size=img_size)
    card = viewer.card
    for sentence in card.assumed if isinstance(card, FileReading) else ():
        note(sentence)
    method = spec.method or ("rollout" if viewer.is_transformer else "grad_cam")
    spec = spec.with_changes(method=method)
    check_view(spec, view_name)
    epochs = _epochs(checkpoint) if view_name == "film" else {}
    model = {"title": card.name, "checkpoint": checkpoint.name, "epoch": card.epoch}
    for file in files:
        pixels = _read(file, card, invert=invert)
        shown = _view(viewer, pixels, spec, view_name)
        picture = {"picture": file.name, "truth": None, "invert": invert}
        settings = file_settings(view_name, spec, models=[model], pictures=[picture])
        if view_name == "film":
            target = out / f"{file.stem}.film.gif"
            frames = {name: _view(of_epoch, pixels, spec, view_name) for name, of_epoch in epochs.items()}
            scales = _scales(frames.values(), spec)
            drawn = [_sheet(frame, pixels, scales, spec, title=name) for name, frame in frames.items()]
            _write(target, encode_gif(drawn, frame_s=_FRAME_S))
        else:
            target = out / f"{file.stem}.{method if view_name == 'maps' else view_name}.png"
            _write(target, encode_png(_sheet(shown, pixels, _scales([shown], spec), spec), settings))
        maps = _by_title(shown)
        if with_npz:
            _write(target.with_suffix(".npz"), encode_npz({"image": pixels} | maps, settings))
        measured = _faithfulness(viewer, pixels, next(iter(maps.values()))) if with_faithfulness else None
        label, probability = None, None
        if viewer.predicts:
            chances = viewer.predict(pixels[None])[0]
            label, probability = card.classes[int(chances.argmax())], float(chances.max())
        yield Drawn(target, file, label, probability, measured)


def _view(viewer: Viewer, pixels: Pixels, spec: RolloutSpec, name: ViewName) -> View:
    return view(_FileSubject(viewer, pixels), spec, name, is_distilled=getattr(viewer.model, "distilled", False))


def _scales(views: Iterable[View], spec: RolloutSpec) -> Scales:
    return scales_of([cell for one in views for row in one.rows for cell in row], spec)


def _sheet(one: View, pixels: Pixels, scales: Scales, spec: RolloutSpec, title: str = "Picture") -> Picture:
    picture = rgb(pixels)
    return draw_sheet(
        [[Tile(cell, picture if one.over_picture else None) for cell in row] for row in one.rows],
        scales,
        spec,
        columns=[cell.title for cell in one.rows[0]],
        row_titles=one.row_titles,
        picture_title=title if one.over_picture else "",
    )


def _by_title(one: View) -> dict[str, Map]:
    titles = one.row_titles or [""]
    rows = zip(titles, one.rows, strict=True)
    return {f"{title} {cell.title}".strip(): cell.values for title, row in rows for cell in row}


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The image files among these and in these folders, each once.

    Raises: DataError for a folder without any, or that may not be read, a name that is not UTF-8, or two files of one
        name, which would be drawn into one.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = images_in(path)
            if not inside:
                raise DataError(f"{path} holds no {ONE_FORMAT} file; choose another folder.")
            files += inside
        else:
            files.append(in_utf8(path))
    files = list(dict.fromkeys(files))
    by_stem: dict[str, Path] = {}
    for file in files:
        other = by_stem.setdefault(file.stem, file)
        if other is not file:
            raise DataError(f"{other} and {file} would be drawn into one file; rename one, or draw them one by one.")
    return files


def _epochs(checkpoint: Path) -> dict[str, Viewer]:
    """The model after each epoch whose weights were kept."""
    files = RunFiles(checkpoint).epochs()
    if len(files) < 2:
        raise DataError(
            f"{checkpoint} holds no weights of single epochs, so there is nothing to film; name the folder of a run "
            "that kept them, as runs of small models do."
        )
    return {f"Epoch {epoch}": Viewer.load(file) for epoch, file in files.items()}


def _faithfulness(viewer: Viewer, pixels: Pixels, values: Map) -> dict[str, float]:
    measured = viewer.faithfulness(pixels[None], values[None])
    return {
        "area": measured.given.area.item(),
        "centre_area": measured.centre.area.item(),
        "percentile": measured.percentile.item(),
    }


def _read(path: Path, card: Reading, *, invert: bool) -> Picture:
    """What the model of the card sees of a file, (C, S, S)."""
    size, version = {"img_size": card.img_size, "in_chans": card.in_chans}, card.pixel_version
    try:
        return read_image(path.read_bytes(), **size, version=version, invert=invert)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(refusal(error, path, verb="read")) from None


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DataError(refusal(error, path, verb="written")) from None
