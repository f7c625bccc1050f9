"""A fact about an installation."""

from typing import NamedTuple


class Finding(NamedTuple):
    """What was found about a subject, in one sentence; where it is not well, the sentence says what to do."""

    subject: str
    is_well: bool
    sentence: str
