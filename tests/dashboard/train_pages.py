"""What tests read on the Train page, and a stand-in for what measures how long a spec takes."""

import shlex
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from deit_core.runs.estimates import Estimate
from deit_core.spec import AnySpec, load_spec

RunPage = Callable[..., AppTest]


class FakeEstimates:
    """Knows what `found` says; measures nothing."""

    found: Estimate | None = Estimate(80.0, {"teacher": 10.0, "vit": 25.0, "deit": 45.0})
    dies = False

    def __init__(self, _settings: object) -> None:
        self.requested: list[AnySpec] = []

    def get(self, _spec: AnySpec) -> Estimate | None:
        return self.found

    def is_measuring(self, spec: AnySpec) -> bool:
        if self.dies and self.requested.count(spec) == 1:
            self.requested.append(spec)
            return True
        return spec in self.requested and not self.dies

    def cancel(self) -> None:
        self.requested.clear()

    def request(self, spec: AnySpec) -> None:
        self.requested.append(spec)


def sound(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def command(page: AppTest) -> list[str]:
    return shlex.split(page.code[0].value)


def document(page: AppTest) -> AnySpec:
    return load_spec(page.code[1].value)


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))
