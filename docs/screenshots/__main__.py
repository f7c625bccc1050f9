"""Takes the pictures and the film of the docs from the real dashboard.

Over a folder without runs, so the pages show the runs that come with the program; for the film three more train.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import sync_playwright

from benchmarks.dashboard import launch_chromium, serve, store_url
from benchmarks.guard import end_with_me
from dashboard.navigation import paths
from deit_core.runs import open_store
from docs.screenshots.film import film
from docs.screenshots.pages import photograph

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Pages as in their addresses, home, film; else all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for all pictures.")] = ROOT / "build" / "screenshots",
) -> None:
    known = {path or "home": path for path in paths()}
    if unknown := set(names or ()) - {*known, "film"}:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(known)}, film.")
    folder = Path(tempfile.mkdtemp(prefix="screenshots-"))
    end_with_me(folder)
    os.environ["DEIT_DATA_DIR"] = str(folder / "data")
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, serve(folder / "runs") as dashboard:
        chromium = launch_chromium(playwright)
        chosen = {name: path for name, path in known.items() if not names or name in names}
        if chosen:
            photograph(chromium, dashboard.url, chosen, out, IMAGES)
        if not names or "film" in names:
            took_s = film(chromium, dashboard.url, open_store(store_url(folder / "runs")), IMAGES / "film.webp")
            typer.echo(f"{IMAGES / 'film.webp'}: the training took {took_s:.0f} s.")
        chromium.close()


if __name__ == "__main__":
    typer.run(main)
