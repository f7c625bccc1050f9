"""Image files explained as picture files: what the Attention page shows, without a browser.

Knows files; nothing of what is drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from deit_core.attention.drawing.film import encode_gif
from deit_core.attention.drawing.overlay import Picture
from deit_core.attention.drawing.sheet import encode_npz, encode_png
from deit_core.attention.drawing.views import Drawing, Sheet, choose_method, draw, draw_film
from deit_core.attention.viewer import Viewer
from deit_core.data.sources.decoding import decode_image, fit_image
from deit_core.errors import DataError
from deit_core.files import write_atomically
from deit_core.image_folders import ONE_FORMAT, images_in, in_utf8
from deit_core.layout import RunFiles
from deit_core.models import FileReading
from deit_core.refusals import refusal

_FRAME_S = 0.4


class Drawn(NamedTuple):
    """A picture file, the image it explains, what the model took that for, and if asked how its first map fares.

    faithfulness: `area` between its LeRF and MoRF curves, `centre_area`, that of the centre prior, and the `percentile`
        of the map's among five random orders; tokens are dropped.
    """

    path: Path
    image: Path
    label: str
    probability: float
    faithfulness: dict[str, float] | None = None


def draw_pictures(
    checkpoint: Path,
    images: Sequence[Path],
    out: Path,
    drawing: Drawing,
    *,
    with_npz: bool = False,
    with_faithfulness: bool = False,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Drawn]:
    """Explain each image file, as `out`/NAME.METHOD.png, or .VIEW.png, or .film.gif.

    Args:
        checkpoint: a run's folder, a checkpoint, an export, or a file or folder of others.
        images: files, and folders whose own images are taken in the order of their names.
        with_npz: write the numbers beside each picture: every map, what the model saw, and the settings as JSON.
        with_faithfulness: measure whether the prediction rests on what the map points at; for a transformer's maps.
        note: is told what had to be taken as it is published, since no file says it.
    Raises: DeitError where the checkpoint is damaged, the model cannot be explained like this, a file is no image, two
        files would be drawn into one, an option is out of bounds, or nothing can be written to `out`.
    """
    files = find_images(images)
    viewer = Viewer.load(checkpoint)
    for sentence in viewer.card.assumed if isinstance(viewer.card, FileReading) else ():
        note(sentence)
    method = choose_method(viewer, drawing)
    settings = asdict(drawing) | {"method": method, "checkpoint": str(checkpoint), "epoch": viewer.card.epoch}
    epochs = _epochs(checkpoint) if drawing.view == "film" else {}
    for file in files:
        card = viewer.card
        pixels = fit_image(_read(file), img_size=card.img_size, in_chans=card.in_chans, invert=drawing.invert)
        sheet = draw(viewer, pixels, drawing, method)
        described = settings | {"image": str(file)}
        if drawing.view == "film":
            target = out / f"{file.stem}.film.gif"
            _write(target, encode_gif(draw_film(epochs, pixels, drawing, method), frame_s=_FRAME_S))
        else:
            target = out / f"{file.stem}.{method if drawing.view == 'maps' else drawing.view}.png"
            _write(target, encode_png(sheet.picture, described))
        if with_npz:
            _write(target.with_suffix(".npz"), encode_npz({"image": pixels} | sheet.maps, described))
        chances = viewer.predict(pixels[None])[0]
        measured = _faithfulness(viewer, pixels, sheet) if with_faithfulness else None
        yield Drawn(target, file, card.classes[int(chances.argmax())], float(chances.max()), measured)


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


def _faithfulness(viewer: Viewer, pixels: Picture, sheet: Sheet) -> dict[str, float]:
    first = next(iter(sheet.maps.values()))
    measured = viewer.faithfulness(pixels[None], first[None])
    return {
        "area": measured.given.area.item(),
        "centre_area": measured.centre.area.item(),
        "percentile": measured.percentile.item(),
    }


def _read(path: Path) -> Picture:
    try:
        return decode_image(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(refusal(error, path, verb="read")) from None


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DataError(refusal(error, path, verb="written")) from None
