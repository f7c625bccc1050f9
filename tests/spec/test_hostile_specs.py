"""Whatever is written into a spec or a change of it, the answer is a spec or a short sentence, at once."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from deit_core import presets
from deit_core.errors import DeitError, SpecError
from deit_core.spec import AnySpec, load_spec, parse_change, replace
from deit_core.text.quoting import quoted, shortened

LONG = "a" * 100_000
DEEP = "[" * 200_000  # more than any Python reads
HALF = "\ud800"


def changed(spec: AnySpec, *changes: str) -> AnySpec:
    return replace(spec, dict(map(parse_change, changes)))


def document(spec: AnySpec, **fields: Any) -> str:
    return json.dumps(spec.model_dump(mode="json") | fields)


def runs(count: int, **fields: Any) -> str:
    first = presets.digits_quick().runs[0].model_dump(mode="json")
    return document(presets.digits_quick(), runs=[first | {"name": f"r{number}"} | fields for number in range(count)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: changed(presets.digits_quick(), "vit.name=8", "optim.lr=1e-3"),
            "runs.1.name should be a valid",
        ),
        (lambda: changed(presets.digits_quick(), 'vit.name={"a": 1}', "vit.optim.lr=1"), "no field vit.optim.lr"),
        (lambda: changed(presets.digits_quick(), f"optim.lr={DEEP}"), "optim.lr should be a valid number"),
        (lambda: changed(presets.digits_quick(), f"optim.lr={'[' * 900}{']' * 900}"), "not [[[[...]]]]."),
        (lambda: changed(presets.smoke(), f"optim.lr={LONG}"), "optim.lr should be a valid number"),
        (lambda: changed(presets.smoke(), f"{LONG}=1"), "There is no field aaa"),
        (lambda: changed(presets.smoke(), f"{'a.' * 50_000}=1"), "There is no field a.a."),
        (lambda: changed(presets.smoke(), "\ud800=1"), r"There is no field \ud800"),
        (lambda: changed(presets.smoke(), LONG), "A change is written FIELD=VALUE"),
        (lambda: changed(presets.smoke(), "seed=" + "9" * 5000), "seed is too large a number"),
        (lambda: changed(presets.smoke(), "optim.epochs=1e300"), "optim.epochs is too large a number"),
        (lambda: changed(presets.smoke(), "optim.lr=Infinity"), "optim.lr should be a finite number"),
        (lambda: presets.get(LONG), "There is no preset 'aaa"),
        (lambda: load_spec(DEEP), "This is not JSON (too many brackets in each other)"),
        (lambda: load_spec(document(presets.smoke(), **{LONG: 1})), "There is no field aaa"),
        (lambda: load_spec(runs(5000)), "runs has more than 100 entries; make it shorter."),
    ],
)
def test_a_strange_change_or_spec_is_a_short_sentence(make: Callable[[], AnySpec], words: str) -> None:
    began = time.monotonic()
    with pytest.raises(SpecError) as refused:
        make()
    assert words in str(refused.value)
    assert len(str(refused.value)) <= 2000
    assert time.monotonic() - began < 5  # a long name was compared with every field for 19 s


def test_of_many_mistakes_the_first_are_named_and_the_others_counted() -> None:
    began = time.monotonic()
    with pytest.raises(SpecError) as refused:
        load_spec(document(presets.smoke(), **{f"field{number}": 1 for number in range(7000)}))
    sentence = str(refused.value)
    assert sentence.startswith("There is no field field0; remove it or check its spelling. There is no field field1;")
    assert sentence.endswith("There are 6,992 more; correct these first.")
    assert len(sentence) < 1000
    assert time.monotonic() - began < 10  # 2,000 took 14 s, with a message of 123,000 characters


def test_of_many_runs_with_one_mistake_the_first_are_named() -> None:
    with pytest.raises(SpecError) as refused:
        load_spec(runs(100, speed=1))
    assert str(refused.value).startswith("r0, r1, r2, r3, r4, r5, r6, r7 and 92 more runs: There is no field speed;")


def stored_or_refused(make: Callable[[], AnySpec]) -> None:
    try:
        spec = make()
    except SpecError:
        return
    assert load_spec(spec.model_dump_json()) == spec


def test_half_a_character_in_an_experiment_is_refused_or_can_be_stored() -> None:
    expectation = {"accuracy": {HALF: 0.5}, "duration_s": 1, "measured_on": HALF}
    for changes in ({"name": HALF}, {"description": HALF}, {"expectation": expectation}, {HALF: HALF}):
        stored_or_refused(partial(load_spec, document(presets.digits_quick(), **changes)))


def test_half_a_character_in_any_field_of_a_run_is_refused_or_can_be_stored() -> None:
    def paths(fields: dict[str, Any], prefix: str = "") -> list[str]:
        return [
            path
            for name, value in fields.items()
            for path in (paths(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])
        ]

    student = presets.digits_quick().runs[-1]
    for path in paths(student.model_dump(mode="json")):
        for value in (HALF, [HALF], [[HALF]]):
            stored_or_refused(partial(replace, student, {path: value}))


def test_an_error_is_never_longer_than_a_page_and_keeps_its_end() -> None:
    sentence = str(DeitError(f"The name {LONG} is too long; choose a shorter one."))
    assert sentence.startswith("The name aaa")
    assert sentence.endswith("aaa is too long; choose a shorter one.")
    assert len(sentence) == 2000


def test_a_quotation_is_short_whatever_it_is_of() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (LONG, LONG.encode(), 10**4000, [LONG] * 1000, {LONG: LONG}, deep, list(range(10**5))):
        assert len(quoted(value)) <= 102
    assert quoted("soft") == "'soft'"
    assert shortened("soft") == "soft"
