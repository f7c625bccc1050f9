"""Each page in each theme and at each width: whole for whoever looks through them, the first screen for the docs."""

from pathlib import Path
from typing import get_args

import typer
from playwright.sync_api import Browser

from docs.screenshots.screen import Theme, opened, rest, shown, whole

WIDTHS = {390: 844, 1280: 800, 1920: 1080}  # and the height of such a screen
_OF_DOCS = (1280, "light")


def photograph(chromium: Browser, url: str, paths: dict[str, str], out: Path, docs: Path) -> None:
    """Args:
    paths: the address of each page below `url`, by the name of its picture.
    out: gets all pictures, NAME-THEME-WIDTH.png.
    docs: gets NAME.webp, one of each page.
    """
    for width, height in WIDTHS.items():
        for theme in get_args(Theme):
            with opened(chromium, width=width, height=height, theme=theme) as page:
                for name, path in paths.items():
                    page.goto(f"{url}/{path}")
                    rest(page)
                    if (width, theme) == _OF_DOCS:
                        shown(page).save(docs / f"{name}.webp", quality=80, method=6)
                    file = out / f"{name}-{theme}-{width}.png"
                    whole(page).save(file)
                    typer.echo(file)
