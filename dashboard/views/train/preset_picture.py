"""A small picture of a preset: an image of its data with the student's patches, and what each model reached.

Draws an SVG from a spec, and from two images that stand here pixel by pixel; knows no widgets and opens no file.
"""

from base64 import b64encode
from collections.abc import Iterator

from deit_core.results.role_looks import look_of, numbered_roles
from deit_core.spec import AnySpec, DataSpec, ExperimentSpec, RunSpec, VisionTransformerSpec, members

_SIDE = 64  # of the image
_BARS_X, _BARS_WIDTH = 76, 60

# Grey levels from 0 to f, a row each. A digit of scikit-learn, and the first test image of Fashion-MNIST at half its
# size.
_DIGIT = "007fd100 08d6f400 021dd000 002fb100 0001cc10 00001a80 00845e90 007dd900"
_BOOT = (
    "00000000000000 00000000000000 00000000000000 00000000000010 00000000520050 000000037aa990 00000017799991 "
    "00000277889994 01236778899997 566667789abaa7 258aaab976ddc6 00000000000000 00000000000000 00000000000000"
)


def preset_picture(spec: AnySpec) -> str:
    """The picture as the address of an image, for HTML."""
    student = next((run for run in members(spec) if isinstance(run.model, VisionTransformerSpec)), members(spec)[0])
    shapes = [*_image(student.data), *_grid(student), *_bars(spec)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_BARS_X + _BARS_WIDTH} {_SIDE}" '
        f'shape-rendering="crispEdges">{"".join(shapes)}</svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode('ascii')}"


def _image(data: DataSpec) -> Iterator[str]:
    match data.source:
        case "fashion-mnist":
            yield from _pixels(_BOOT, 0, 0, _SIDE / 14)
        case "scattered-digits":  # away from the middle, as they stand there
            yield from _pixels(_DIGIT, 0.55 * _SIDE, 0.1 * _SIDE, _SIDE / 20)
        case "digits" | "mnist":
            yield from _pixels(_DIGIT, 0, 0, _SIDE / 8)
        case _:
            yield from _landscape()


def _pixels(rows: str, left: float, top: float, size: float) -> Iterator[str]:
    yield _rect(0, 0, _SIDE, _SIDE, "#000")
    for row, levels in enumerate(rows.split()):
        for column, level in enumerate(levels):
            if level != "0":
                yield _rect(left + column * size, top + row * size, size, size, f"#{3 * level}")


def _landscape() -> Iterator[str]:
    """Stands for photographs."""
    yield _rect(0, 0, _SIDE, _SIDE, "#7db7e8")
    yield f'<circle cx="{0.75 * _SIDE}" cy="{0.25 * _SIDE}" r="8" fill="#ffd75e"/>'
    for points, fill in (("0,50 22,22 44,50", "#5b6f86"), ("20,56 46,30 64,50 64,64 20,64", "#7b8da1")):
        yield f'<polygon points="{points}" fill="{fill}"/>'
    yield _rect(0, 0.75 * _SIDE, _SIDE, _SIDE / 4, "#5f9e56")


def _grid(student: RunSpec) -> Iterator[str]:
    """The edges of the patches; none for a CNN."""
    if not isinstance(student.model, VisionTransformerSpec):
        return
    number = student.data.img_size // student.model.patch_size
    for line in range(1, number):
        place = line * _SIDE / number
        yield _rect(place, 0, 1, _SIDE, "#8a8a8a") + _rect(0, place, _SIDE, 1, "#8a8a8a")


def _bars(spec: AnySpec) -> Iterator[str]:
    """A bar for each run in the colour of its role: as high as its test accuracy, where that was measured."""
    runs = members(spec)
    expected = spec.expectation.accuracy if isinstance(spec, ExperimentSpec) and spec.expectation else {}
    step = min(20.0, _BARS_WIDTH / len(runs))
    for index, (run, (role, number)) in enumerate(zip(runs, numbered_roles(runs), strict=True)):
        colour, left, width = look_of(role, number).colour, _BARS_X + index * step, 0.8 * step
        if run.name in expected:
            height = _SIDE * expected[run.name]
            yield _rect(left, _SIDE - height, width, height, colour)
        else:
            yield (
                f'<rect x="{left + 1:g}" y="1" width="{width - 2:g}" height="{_SIDE - 2}" fill="none" '
                f'stroke="{colour}" stroke-dasharray="3 3"/>'
            )
    yield _rect(_BARS_X, _SIDE - 1, _BARS_WIDTH, 1, "#8a8a8a")


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"/>'
