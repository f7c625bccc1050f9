"""The three models as one picture: a test image becomes patches and tokens, and each model answers.

Builds HTML with an SVG from what was computed when the demo runs were made; knows no widgets.
"""

from collections.abc import Iterator
from html import escape
from itertools import product

from deit_core.results.role_looks import look_of
from deit_core.runs.demo_runs import DemoAnswer, DemoExample

_SIDE, _GAP = 24, 5  # of a patch, and between two
_IMAGE_X, _PATCHES_X, _TOKENS_X, _TOP = 4, 170, 400, 30

_CSS = """
<style>
.models {
  display: flex; flex-wrap: wrap; gap: 8px 32px; align-items: center;
  font-family: var(--st-font); color: var(--st-text-color);
}
.models svg { flex: 1 1 340px; max-width: 520px; min-width: 300px; height: auto; }
.models ul { flex: 1 1 260px; max-width: 420px; margin: 0; padding: 0; list-style: none; }
.models li { margin: 0 0 12px; padding-left: 12px; border-left: 4px solid; }
.models li > span { display: block; }
.models .bar { height: 6px; margin-top: 4px; border-radius: 3px; background: rgba(128, 128, 128, 0.25); }
.models .bar > span { display: block; height: 100%; border-radius: 3px; }
.models rect { fill: none; stroke: var(--st-border-color); }
.models text { font-size: 12px; fill: currentColor; }
.models .step { opacity: 0; animation: models-appear 0.6s ease-out forwards; }
@keyframes models-appear { from { opacity: 0; transform: translateX(-12px); } to { opacity: 1; transform: none; } }
@media (prefers-reduced-motion: reduce) { .models .step { animation: none; opacity: 1; } }
</style>
"""


def models_picture(example: DemoExample) -> str:
    return f'{_CSS}<div class="models">{_flow(example)}<ul>{"".join(_answers(example))}</ul></div>'


def _flow(example: DemoExample) -> str:
    """Image, patches and tokens; a line is as strong as the share of a patch in the token's rollout."""
    rows, columns = len(example.class_map), len(example.class_map[0])
    patches = list(product(range(rows), range(columns)))
    scale = _SIDE / (len(example.pixels) // rows)
    shapes = "".join(
        f'<g id="models-{row}-{column}" transform="scale({scale:g})" shape-rendering="crispEdges">'
        f"{_pixels(example, row, column)}</g>"
        for row, column in patches
    )
    title = f"an image of {escape(example.truth)}"
    whole = "".join(_use(row, column, _IMAGE_X, _SIDE) for row, column in patches)
    whole += _edge(_IMAGE_X, 0, 0, columns * _SIDE, rows * _SIDE)
    apart = "".join(
        _use(row, column, _PATCHES_X, _SIDE + _GAP)
        + _edge(_PATCHES_X, (_SIDE + _GAP) * row, (_SIDE + _GAP) * column, _SIDE, _SIDE)
        for row, column in patches
    )
    height = _TOP + rows * (_SIDE + _GAP) + 26
    middle = _TOP + rows * (_SIDE + _GAP) / 2
    tokens = (
        ("class", example.class_map, middle - 36, _colour("DeiT", "class")),
        ("distillation", example.distillation_map, middle + 36, _colour("DeiT", "distillation")),
    )
    lines = "".join(_lines(flow, y, colour) for _, flow, y, colour in tokens)
    circles = "".join(
        f'<circle cx="{_TOKENS_X}" cy="{y}" r="9" fill="{colour}"/>'
        f'<text x="{_TOKENS_X + 15}" y="{y - 2}">{name}</text><text x="{_TOKENS_X + 15}" y="{y + 12}">token</text>'
        for name, _, y, colour in tokens
    )
    return (
        f'<svg viewBox="0 0 500 {height}" role="img" aria-label="{escape(_in_words(example))}">'
        f"<defs>{shapes}</defs>"
        f'<g class="step" style="animation-delay: 0.1s">{_text(_IMAGE_X, title)}{whole}</g>'
        f'<g class="step" style="animation-delay: 0.9s">{_text(_PATCHES_X, "patches")}{apart}</g>'
        f'<g class="step" style="animation-delay: 1.8s">{_text(_PATCHES_X + 172, "attention")}{lines}{circles}</g>'
        "</svg>"
    )


def _pixels(example: DemoExample, row: int, column: int) -> str:
    height, width = (len(example.pixels) // len(example.class_map), len(example.pixels[0]) // len(example.class_map[0]))
    return "".join(
        f'<path fill="rgb({grey},{grey},{grey})" d="M{x} {y}h1.03v1.03h-1.03z"/>'
        for y, x in product(range(height), range(width))
        for grey in [example.pixels[row * height + y][column * width + x]]
    )


def _use(row: int, column: int, left: float, step: float) -> str:
    return f'<use href="#models-{row}-{column}" x="{left + step * column:g}" y="{_TOP + step * row:g}"/>'


def _edge(left: float, down: float, right: float, width: float, height: float) -> str:
    """A black patch on a nearly black page has no other."""
    return f'<rect x="{left + right:g}" y="{_TOP + down:g}" width="{width:g}" height="{height:g}"/>'


def _lines(flow: list[list[float]], token_y: float, colour: str) -> str:
    strongest = max(map(max, flow))
    step, centre = _SIDE + _GAP, _SIDE / 2
    return "".join(
        f'<line x1="{_PATCHES_X + step * column + centre:g}" y1="{_TOP + step * row + centre:g}" x2="{_TOKENS_X}" '
        f'y2="{token_y:g}" stroke="{colour}" stroke-width="{3 * share / strongest:.2f}" '
        f'stroke-opacity="{share / strongest:.2f}"/>'
        for row, shares in enumerate(flow)
        for column, share in enumerate(shares)
    )


def _text(x: float, words: str) -> str:
    return f'<text x="{x}" y="{_TOP - 12}">{words}</text>'


def _answers(example: DemoExample) -> Iterator[str]:
    rows = (
        ("Teacher, a CNN", example.teacher, _colour("teacher")),
        ("ViT, the same transformer without a teacher", example.vit, _colour("ViT")),
        ("DeiT, class head", example.class_head, _colour("DeiT", "class")),
        (
            "DeiT, distillation head: learns from the teacher",
            example.distillation_head,
            _colour("DeiT", "distillation"),
        ),
    )
    for number, (name, answer, colour) in enumerate(rows):
        yield (
            f'<li class="step" style="border-color: {colour}; animation-delay: {1.2 + 0.4 * number:.1f}s">'
            f"<span>{name}</span><strong>{escape(_said(answer))}</strong>"
            f'<div class="bar"><span style="width: {answer.probability:.0%}; background: {colour}"></span></div></li>'
        )


def _colour(role: str, head: str = "") -> str:
    return look_of(role, head=head).colour


def _said(answer: DemoAnswer) -> str:
    return f"{'✓' if answer.is_right else '✗'} {answer.name}, {answer.probability:.0%} sure"


def _in_words(example: DemoExample) -> str:
    return (
        f"A test image of class {example.truth} is cut into patches. Attention takes information from them to the "
        f"class token and to the distillation token of a DeiT. The teacher answers {example.teacher.name}, the ViT "
        f"{example.vit.name}, the DeiT's class head {example.class_head.name} and its distillation head "
        f"{example.distillation_head.name}."
    )
