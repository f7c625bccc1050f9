"""How every page of the real dashboard begins, in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("base_path", ["", "/class/lab"])
def test_a_page_asks_no_address_in_vain(
    page: Page, serve_app: Callable[..., str], tmp_path: Path, page_errors: list[str], base_path: str
) -> None:
    url = serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(tmp_path)}, base_path=base_path)
    answers: dict[str, int] = {}
    page.on("response", lambda response: answers.update({response.url: response.status}))
    page.goto(f"{url}/learn")
    expect(page.get_by_role("heading", name="Learn", level=1)).to_be_visible()
    expect(page).to_have_title("Learn · DeiT Lab")
    assert answers[f"{url}/_stcore/host-config"] == 200
    assert [address for address, status in answers.items() if status >= 400] == []
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    expect(page).to_have_url(f"{url}/compare")
    assert page_errors == []
