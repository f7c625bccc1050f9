"""What holds for every input: it works, or a sentence of bounded length says why not, in bounded time and memory.

A test runs a few examples, the same every time. With FUZZ_MINUTES all tests together run random ones for so long.
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from deit_core.refusals import user_error

MINUTES = float(os.environ.get("FUZZ_MINUTES") or 0)
MAX_CHARACTERS = 2000
_LIMIT_S = 20.0  # of CPU: input that takes a second on a free machine is far below
_LIMIT_BYTES = 3 * 2**29
_BATCH = 50
_CHECKS = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)

shares: list[Callable[..., None]] = []  # the tests that share the minutes

long_texts = st.builds(str.__mul__, st.sampled_from(["a", "[", '"', "9", "🔬", "\\"]), st.sampled_from([300, 5000]))
texts = st.text(max_size=40) | st.sampled_from(["", "\ud800", "\x1b]8;;", "‮x", "inf", "nan", "-0", "1e999", "..", "~"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | long_texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=6,
)


def fuzz(num_examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator above `given`. Args: num_examples: of the short form, which does not shrink a failing one."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        options: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": _CHECKS}
        if not MINUTES:
            return settings(derandomize=True, max_examples=num_examples, phases=[Phase.generate], **options)(test)
        random = settings(max_examples=_BATCH, **options)(test)

        @functools.wraps(random)
        def repeat(*args: Any, **kwargs: Any) -> None:
            until = time.monotonic() + 60 * MINUTES / len(shares)
            while time.monotonic() < until:
                random(*args, **kwargs)

        shares.append(repeat)
        return repeat

    return decorate


@contextmanager
def bounded() -> Iterator[None]:
    """Limits the time and memory of a block; a user error is caught and its sentence is checked."""
    began = time.process_time()
    with _limited_memory():
        try:
            yield
        except Exception as error:
            mistake = user_error(error)
            if mistake is None:
                raise
            check_sentence(str(mistake))
    assert time.process_time() - began < _LIMIT_S


def check_sentence(sentence: str) -> None:
    assert sentence
    assert len(sentence) <= MAX_CHARACTERS
    assert "Traceback" not in sentence
    sentence.encode(errors="surrogateescape")  # a name of a file may be no UTF-8; all else must be shown on a page


@contextmanager
def _limited_memory() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (psutil.Process().memory_info().data + _LIMIT_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
