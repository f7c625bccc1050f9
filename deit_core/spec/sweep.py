"""A search over fields: the values of each, and which combinations of them are trained. Knows no runs."""

import math
import random
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Any

from pydantic import Field, model_validator

from deit_core.errors import SpecError
from deit_core.spec.fields import Part, field
from deit_core.text.json_text import parse_json
from deit_core.text.quoting import quoted, shortened

MAX_TRAININGS = 1000  # of one sweep

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")
_DIGITS = 3  # of a number that is drawn
_DRAWS = 100  # for each combination, until as many different ones are found

Value = bool | int | float | str | None
Trial = dict[str, Value]  # a value for each field


class Range(Part):
    """Numbers from `low` to `high`, both included, of which some are drawn at random."""

    low: float = Field(ge=-1e9, le=1e9)
    high: float = Field(ge=-1e9, le=1e9)

    @model_validator(mode="after")
    def _low_is_first(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"A range begins with its smaller number, not as {self.low:g}..{self.high:g}.")
        return self

    def at(self, share: float) -> float:
        """The number that a share of those drawn lies below: uniform in the logarithm, or from 0 or less uniform."""
        if self.low > 0:
            number = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            number = self.low + share * (self.high - self.low)
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)


Values = tuple[Value, ...] | Range


class Sweep(Part):
    """Values to try of each field, by its path. Which runs a path reaches is said in `swept`."""

    values: dict[str, Values] = Field(min_length=1, max_length=20)
    trials: int | None = field(
        None, "How many combinations are drawn at random; empty: every combination, a grid.", ge=1, le=MAX_TRAININGS
    )
    seed: int = field(
        0, "Seed of the draw. With the same seed, more trials begin with the same combinations.", ge=0, lt=2**31
    )
    stop_early: bool = field(
        False,
        "Stops a run whose best validation accuracy is below the median of the finished runs of its kind. Each of "
        "these counts with its mean up to the same epoch (the median rule of Google Vizier).",
    )
    warmup_epochs: int = field(2, "Epochs in which stop_early stops no run.", ge=0, le=10_000)
    min_finished: int = field(5, "Finished runs that stop_early needs before it stops one.", ge=1, le=MAX_TRAININGS)

    @model_validator(mode="after")
    def _values_are_there(self) -> "Sweep":
        for path, values in self.values.items():
            if isinstance(values, Range):
                if self.trials is None:
                    raise ValueError(
                        f"The values of {shortened(path)} are a range, from which some are drawn at random; say how "
                        "many combinations (trials), or name each value."
                    )
            elif not values:
                raise ValueError(f"{shortened(path)} has no values to try; name one or more.")
            elif len(set(map(repr, values))) < len(values):
                raise ValueError(f"A value of {shortened(path)} is named twice; name each once.")
        return self

    def combinations(self, whole: Collection[str]) -> list[Trial]:
        """The combinations, all different.

        Args: whole: the fields whose ranges are of whole numbers, all of them as likely.
        Raises: SpecError where there are too many.
        """
        choices = [self._choices(path, path in whole) for path in self.values]
        lists = [one for one in choices if not isinstance(one, Range)]
        number = math.prod(map(len, lists)) if len(lists) == len(choices) else None
        if number is not None and (self.trials is None or number <= self.trials):
            if number > MAX_TRAININGS:
                raise too_many(number)
            return [dict(zip(self.values, combination, strict=True)) for combination in product(*lists)]
        draws = random.Random(self.seed)
        drawn: dict[str, Trial] = {}
        for _ in range(_DRAWS * (self.trials or 0)):
            trial = {path: _draw(one, draws.random()) for path, one in zip(self.values, choices, strict=True)}
            drawn.setdefault(repr(trial), trial)
            if len(drawn) == self.trials:
                break
        return list(drawn.values())

    def _choices(self, path: str, is_whole: bool) -> Sequence[Value] | Range:
        values = self.values[path]
        if not isinstance(values, Range) or not is_whole:
            return values
        whole = range(math.ceil(values.low), math.floor(values.high) + 1)
        if not whole:
            raise SpecError(f"{path} takes only whole numbers, and none lies from {values.low:g} to {values.high:g}.")
        return whole


def _draw(choices: Sequence[Value] | Range, share: float) -> Value:
    return choices.at(share) if isinstance(choices, Range) else choices[int(share * len(choices))]


def too_many(number: int) -> SpecError:
    return SpecError(
        f"This sweep asks for {number:,} trainings, and {MAX_TRAININGS:,} can be submitted at once; name fewer values, "
        "or draw some combinations at random (trials)."
    )


def parse_values(texts: Sequence[str]) -> dict[str, Any]:
    """The values of fields as `--sweep` takes them, optim.lr=1e-3,2e-3 or optim.lr=1e-4..1e-2, for `Sweep.values`.

    Raises: SpecError for another form, or a field that is named twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        path, separator, values = (part.strip() for part in text.partition("="))
        if not separator or not values:
            raise SpecError(
                "Values to try are written FIELD=VALUE,VALUE or FIELD=LOW..HIGH, such as optim.lr=1e-3,2e-3, not "
                f"{quoted(text)}."
            )
        if path in found:
            raise SpecError(f"{shortened(path)} is swept twice; name all of its values together.")
        ends = _RANGE.fullmatch(values)
        found[path] = {"low": float(ends[1]), "high": float(ends[2])} if ends else list(_parsed(values))
    return found


def _parsed(values: str) -> Iterator[Any]:
    for text in values.split(","):
        try:
            yield parse_json(text.strip())
        except ValueError:
            yield text.strip()  # a plain word, such as soft
