"""Image files explained as picture files: what the Attention page shows, without a browser. Knows files alone."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from deit_core.attention.drawing import Drawing, choose_method, draw
from deit_core.attention.overlay import Picture
from deit_core.attention.sheet import encode_npz, encode_png
from deit_core.attention.viewer import Viewer
from deit_core.data.inputs import FORMATS, decode_image, fit_image
from deit_core.errors import DataError
from deit_core.files import write_atomically

_SUFFIXES = {f".{name.lower()}" for name in (*FORMATS, "jpg")}


class Drawn(NamedTuple):
    """A picture file, the image it explains, and what the model took that for."""

    path: Path
    image: Path
    label: str
    probability: float


def draw_pictures(
    checkpoint: Path, images: Sequence[Path], out: Path, drawing: Drawing, *, with_npz: bool = False
) -> Iterator[Drawn]:
    """Explain each image file, as `out`/NAME.METHOD.png.

    Args:
        checkpoint: a run's folder, or a .safetensors file.
        images: files, and folders whose PNG, JPEG and WebP files are taken in the order of their names.
        with_npz: write the numbers beside each picture: every map, what the model saw, and the settings as JSON.
    Raises: DeitError where the checkpoint is damaged, the model cannot be explained like this, a file is no image, two
        files would be drawn into one, or an option is out of bounds.
    """
    files = find_images(images)
    viewer = Viewer.load(checkpoint)
    method = choose_method(viewer, drawing)
    settings = asdict(drawing) | {"method": method, "checkpoint": str(checkpoint), "epoch": viewer.card.epoch}
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        card = viewer.card
        pixels = fit_image(_read(file), img_size=card.spec.data.img_size, in_chans=card.in_chans, invert=drawing.invert)
        sheet = draw(viewer, pixels, drawing, method)
        target = out / f"{file.stem}.{method if drawing.view == 'maps' else drawing.view}.png"
        described = settings | {"image": str(file)}
        write_atomically(target, encode_png(sheet.picture, described))
        if with_npz:
            write_atomically(target.with_suffix(".npz"), encode_npz({"image": pixels} | sheet.maps, described))
        chances = viewer.predict(pixels[None])[0]
        yield Drawn(target, file, card.classes[int(chances.argmax())], float(chances.max()))


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The image files among these and in these folders.

    Raises: DataError for a folder without any, or two files of one name, which would be drawn into one.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
            if not inside:
                raise DataError(f"{path} holds no PNG, JPEG or WebP file; choose another folder.")
            files += inside
        else:
            files.append(path)
    by_stem: dict[str, Path] = {}
    for file in files:
        other = by_stem.setdefault(file.stem, file)
        if other is not file:
            raise DataError(f"{other} and {file} would be drawn into one file; rename one, or draw them one by one.")
    return files


def _read(path: Path) -> Picture:
    try:
        return decode_image(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from None
