"""What each head of each model says of a picture, with its map: side by side. Knows models by their runs; no bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components.panels import Panel, panels
from dashboard.components.png import png
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint, Map, Picture
from dashboard.pictures.map_painting import draw_scales, panel, scales_of
from dashboard.pictures.picture_maps import PictureMap, grad_cam_map, token_map
from dashboard.pictures.run_models import best_file
from dashboard.run_status import label, looks_of
from dashboard.text import escape
from dashboard.views.predict.asked_models import names
from dashboard.views.predict.bars import bars
from deit_core.catalog import TokenName
from deit_core.errors import DeitError
from deit_core.results.role_looks import look_of
from deit_core.runs import Run
from deit_core.spec import RolloutSpec

_PER_ROW = 5
_SPEC = RolloutSpec(shared_scale=True)  # what the Attention page draws at first
_ONE_HEAD = "one head"
_HEADS: dict[str, tuple[str, TokenName]] = {  # the name of a head, and the token whose map stands by it
    "mean": ("mean of both heads", "head"),
    "class": ("class head", "class"),
    "distillation": ("distillation head", "distillation"),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """The probabilities (K,) of one head of a model, under the names that the page has for both."""

    name: str
    head: str
    run: Run
    chances: Map
    classes: Sequence[str]
    colour: str
    map: PictureMap | None = None
    why_no_map: str = ""


def draw(picture: Picture, models: Sequence[Run], seen: DeltaGenerator) -> None:
    """Draw every answer there is, and say in sentences why others are missing.

    Args: seen: where the picture is shown as the first model sees it.
    """
    answers: list[Answer] = []
    with st.spinner("Asking the models"):
        for run, name, look in zip(models, names(models), looks_of(models), strict=True):
            try:
                answers += _answers(picture, run, name, look.colour)
            except DeitError as error:
                st.warning(escape(f"{name}: {error}"))
    if not answers:
        return
    with seen:
        _draw_picture(picture, Checkpoint.at(best_file(answers[0].run)))
    if any(picture.truth is not None and picture.truth not in answer.classes for answer in answers):
        st.info("A model that was trained on another data set does not know the class of this picture.")
    scales = scales_of([answer.map for answer in answers if answer.map], _SPEC)
    for start in range(0, len(answers), _PER_ROW):
        places = st.columns(_PER_ROW)
        for number, answer in enumerate(answers[start : start + _PER_ROW]):
            with places[number]:
                shown = None if answer.map is None else panel(answer.map, scales, _SPEC, caption="")
                _draw_answer(answer, picture.truth, shown, start + number)
    draw_scales(scales, _SPEC)


def _answers(picture: Picture, run: Run, name: str, colour: str) -> Iterator[Answer]:
    checkpoint = Checkpoint.at(best_file(run))
    if run.spec.model.family != "vit":
        chances = images.predict(checkpoint, picture)
        answer = Answer(name, _ONE_HEAD, run, chances, images.viewer(checkpoint).card.classes, colour)
        try:
            yield replace(answer, map=grad_cam_map(checkpoint, picture, _SPEC))
        except DeitError as error:
            yield replace(answer, why_no_map=str(error))
        return
    subject = images.subject(checkpoint, picture)
    by_head = subject.look.probabilities()
    for head, chances in by_head.items():
        title, token = _HEADS[head] if len(by_head) > 1 else (_ONE_HEAD, "head")
        shown = token_map(subject, token, _SPEC)
        of_head = look_of("DeiT", head=head).colour if title != _ONE_HEAD and head != "mean" else colour
        yield Answer(name, title, run, chances, subject.card.classes, of_head, shown)


def _draw_picture(picture: Picture, checkpoint: Checkpoint) -> None:
    pixels = images.fit(checkpoint, picture)
    side = pixels.shape[1]
    shown = Panel(
        png(images.rgb(pixels)),
        f"The picture as the first model sees it, {side} by {side} pixels",
        caption=f"{picture.truth or 'As a model sees it'}, {side} × {side} px",
    )
    panels([[shown]], key="predict_seen", max_width=160)


def _draw_answer(answer: Answer, truth: str | None, shown: Panel | None, number: int) -> None:
    st.markdown(f"**{escape(answer.name)}**  \n:small[{answer.head}]  \n{_verdict(answer, truth)}")
    if shown is None:
        st.caption(escape(answer.why_no_map))
    else:
        panels([[shown]], key=f"predict_map_{number}", max_width=160)
    st.html(bars(f"{answer.name}, {answer.head}", answer.chances, answer.classes, truth=truth, colour=answer.colour))
    st.caption(escape(label(answer.run)))


def _verdict(answer: Answer, truth: str | None) -> str:
    said = answer.classes[int(answer.chances.argmax())]
    if truth not in answer.classes:
        return f":gray-badge[{escape(said)}]"
    return f":green-badge[✓ {escape(said)}]" if said == truth else f":red-badge[✗ {escape(said)}]"
