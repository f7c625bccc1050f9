"""Lesson 6: how alike a DeiT's two tokens become, and what each of its heads gets right."""

from typing import Any

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.curves.charts import COLOURS
from dashboard.lessons.evidence import Answer, from_newest, newest
from dashboard.state import files_of, has_predictions, predictions, run_reader
from dashboard.views.learn.exhibits.figures import CONTROL, chart, line
from deit_core.metrics import TOKEN_COSINES
from deit_core.runs import Run

_SYMBOLS = (
    *("circle", "square", "diamond", "cross", "triangle-up", "star"),
    *("triangle-down", "pentagon", "hexagon", "triangle-left", "triangle-right", "hourglass"),
)
_LOW, _HIGH = 0.3, 0.8  # the ends of the middle option of the guess


def draw() -> Answer | None:
    run = newest("DeiT")
    if run is None:
        return None
    points = run_reader().points(run.id, kind="epoch")
    _, *names = [metric.name for metric in TOKEN_COSINES.values()]
    measured = [point for point in points if names[0] in point.metrics]
    if not measured:
        return None
    last = measured[-1].metrics
    *_, name = [one for one in names if one in last]
    first, final = measured[0].metrics[name], last[name]
    alt = (
        f"After the last block the cosine of the two tokens is {first:.2f} at the end of the first epoch and "
        f"{final:.2f} at the end of training."
    )
    epochs = [point.epoch for point in measured]
    lines = [
        line(
            f"after block {block}" if block else "input",
            epochs,
            [point.metrics[metric.name] for point in measured],
            hover="%{y:.2f} in epoch %{x}",
        )
        | _look(block)
        for block, metric in TOKEN_COSINES.items()
        if metric.name in last
    ]
    figure = chart(lines, x="Epoch", y="Cosine of the two tokens")
    live_chart(figure, key="learn_cosine", title="Cosine of the two tokens", alt=alt, height=340)
    st.caption("Measured on validation images.")
    heads = _heads(run)
    right = 0 if final < _LOW else 1 if final <= _HIGH else 2
    return Answer(right, f"{alt} {heads}", from_newest(run))


def _look(block: int) -> dict[str, Any]:
    """Of the line of a block; 0 is the input. Blocks differ by colour and by symbol."""
    if not block:
        return {"mode": "lines", "line": {"color": CONTROL, "dash": "dot", "width": 2}}
    colour, symbol = (looks[(block - 1) % len(looks)] for looks in (COLOURS, _SYMBOLS))
    marker = {"color": colour, "symbol": symbol, "size": 8}
    return {"mode": "lines+markers", "line": {"color": colour, "dash": "solid", "width": 2}, "marker": marker}


def _heads(run: Run) -> str:
    from deit_core.lessons.head_answers import head_answers

    if not has_predictions(run):
        return ""
    test = predictions(files_of(run).predictions).test
    if test.logits_class is None or test.logits_distillation is None:
        return ""
    shares = head_answers(test.labels, test.logits_class, test.logits_distillation)
    titles = ("both heads", "the class head alone", "the distillation head alone", "neither")
    st.dataframe(
        [{"Right": title, "Test images": f"{share:.1%}"} for title, share in zip(titles, shares, strict=True)],
        hide_index=True,
        width=340,
    )
    return (
        f"Both heads are right on {shares.both:.1%} of the test images, the class head alone on "
        f"{shares.class_alone:.1%}, the distillation head alone on {shares.distillation_alone:.1%}."
    )
