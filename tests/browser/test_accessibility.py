"""What axe says of every page over the runs that ship, in both themes: contrast, names of widgets, what is focused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dashboard.navigation import paths

ROOT = Path(__file__).resolve().parents[2]
WRONG = ("serious", "critical")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    env = {"DEIT_RUNS_DIR": str(tmp_path_factory.mktemp("runs")), "DEIT_DEMO_RUNS": "1"}
    return serve_app(ROOT / "dashboard" / "app.py", env=env)


@pytest.mark.parametrize("path", paths())
def test_a_page_can_be_read_by_everybody(page: Page, url: str, path: str) -> None:
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.goto(f"{url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
        expect(page.locator('[data-stale="true"], [aria-busy="true"], [data-testid="stSkeleton"]')).to_have_count(0)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in WRONG:
                found += [f"{theme}: {violation['id']}: {node['html']}" for node in violation["nodes"]]
    assert found == []
