"""The likeliest classes of one answer as bars, in HTML: five charts of a chart library would take longer to draw.

Knows probabilities and names of classes, which may hold anything.
"""

from collections.abc import Sequence
from html import escape

from dashboard.pictures.images import Map
from deit_core.plain_text import harmless

_SHOWN = 5
_LIST = "list-style:none; margin:0; padding:0; font-size:0.8rem"
_ROW = "display:flex; gap:4px; margin-top:6px"
_NAME = "flex:1; overflow:hidden; text-overflow:ellipsis; white-space:nowrap"
_TRACK = "height:6px; border-radius:3px; background:rgba(128, 128, 128, 0.25)"


def bars(title: str, chances: Map, classes: Sequence[str], *, truth: str | None, colour: str) -> str:
    """A list of the likeliest classes; the true class is the last of it where it is none of them.

    Args: chances: (K,) probabilities of `classes`.
    """
    order = chances.argsort()[::-1][:_SHOWN].tolist()
    if truth in classes and (right := classes.index(truth)) not in order:
        order.append(right)
    best = order[0]
    rows = [_row(classes[index], float(chances[index]), _sign(classes, index, best, truth), colour) for index in order]
    words = escape(harmless(f"{title}: likeliest is {classes[best]} with {chances[best]:.1%}"))
    return f'<ul style="{_LIST}" aria-label="{words}">{"".join(rows)}</ul>'


def _sign(classes: Sequence[str], index: int, best: int, truth: str | None) -> str:
    if truth not in classes:
        return ""
    if classes[index] == truth:
        return "✓"
    return "✗" if index == best else ""


def _row(name: str, chance: float, sign: str, colour: str) -> str:
    name = escape(harmless(name))
    return (
        f'<li><div style="{_ROW}"><span style="{_NAME}" title="{name}">{f"{sign} {name}".strip()}</span>'
        f'<span style="font-variant-numeric:tabular-nums">{chance:.1%}</span></div>'
        f'<div style="{_TRACK}" aria-hidden="true">'
        f'<div style="height:100%; border-radius:3px; width:{chance:.1%}; background:{colour}"></div></div></li>'
    )
