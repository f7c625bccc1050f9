"""The film of the README: from Home a teacher, a ViT and a DeiT train, then their comparison and their attention.

The training is real, and shortened to a few seconds.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page

from deit_core.runs import Status, Store
from deit_core.spec import RolloutSpec
from docs.screenshots.screen import opened, rest, shown

_SIZE = (960, 600)
_EVERY_S = 2.0
_NUM_OF_TRAINING, _TRAINING_MS = 40, 100
_AT_WORK = {Status.QUEUED, Status.RUNNING}
_SHOW_CURVES = """() => [...document.querySelectorAll('[role="figure"]')].at(-1)?.scrollIntoView({ block: "end" })"""


class Frame(NamedTuple):
    image: Image.Image
    duration_ms: int


def film(chromium: Browser, url: str, store: Store, file: Path) -> float:
    """Makes the film and returns the seconds that its training took. `store` is that of the dashboard, without runs."""
    began = time.monotonic()
    with opened(chromium, width=1280, height=800, theme="light") as page:
        page.goto(url)
        rest(page)
        frames = [Frame(_small(page), 1800)]
        page.get_by_role("button", name="Start training").click()
        training = list(_training(page, store))
        took_s = time.monotonic() - began
        shortened = training[:: math.ceil(len(training) / _NUM_OF_TRAINING)]
        frames += [Frame(image, _TRAINING_MS) for image in shortened]
        frames.append(Frame(training[-1], 1000))
        frames += _afterwards(page)
    first, *others = [frame.image for frame in frames]
    durations = [frame.duration_ms for frame in frames]
    first.save(file, save_all=True, append_images=others, duration=durations, loop=0, quality=55, method=6)
    return took_s


def _training(page: Page, store: Store) -> Iterator[Image.Image]:
    """The curves, every two seconds until all runs have ended."""
    page.get_by_role("heading", name="Runs", level=1).wait_for()
    while not store.runs() or {run.status for run in store.runs()} & _AT_WORK:
        page.evaluate(_SHOW_CURVES)
        yield _small(page)
        page.wait_for_timeout(1000 * _EVERY_S)
    rest(page)
    yield _small(page)


def _afterwards(page: Page) -> Iterator[Frame]:
    page.get_by_role("link", name="Compare").first.click()
    page.get_by_role("heading", name="Compare", level=1).wait_for()
    rest(page)
    yield Frame(_small(page), 2000)
    page.get_by_role("link", name="Attention").first.click()
    page.get_by_role("heading", name="Attention", level=1).wait_for()
    rest(page)
    yield Frame(_small(page), 1000)
    ratio = page.get_by_role("slider", name=RolloutSpec.model_fields["discard_ratio"].title)
    ratio.focus()
    for _ in range(4):
        for _ in range(20):
            ratio.press("ArrowRight")
        rest(page)
        yield Frame(_small(page), 500)
    yield Frame(_small(page), 1500)


def _small(page: Page) -> Image.Image:
    return shown(page).resize(_SIZE, Image.Resampling.LANCZOS)
