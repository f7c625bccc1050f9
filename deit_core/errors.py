"""Errors that the user can fix. Each is a sentence that says what is wrong and what to do.

DeitError (ValueError)
  SpecError          a preset, a field or a combination of fields that cannot be trained
  DataError          a data set that is missing or damaged, an upload that is not an image
  CheckpointError    a checkpoint that is missing, damaged or made for something else
  RunError           an action on a run that its status does not allow
    LostRankError        a process of a run on several devices that is gone
  ResourceError      a machine without the memory or the disk space that a run needs, or that refuses a file
  StoreError         a store of runs that cannot be read or written
    DamagedStoreError    the file is not a store, or its content is damaged
    FullStoreError       the disk with the store is full; the store can be read
    ReadOnlyStoreError   the store can be read but not written
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from deit_core.plain_text import harmless
from deit_core.text.quoting import quoted, shortened
from deit_core.text.spelling import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


_LENGTH = 2000  # of a message, in characters, whatever the user wrote
_MISTAKES, _RUNS = 8, 8  # that a message names; it counts the others


class DeitError(ValueError):
    """The base class: every error that the user can fix. Its text is one that every page and terminal can show; a very
    long one is shortened.
    """

    def __str__(self) -> str:
        return shortened(harmless(super().__str__()), _LENGTH)


class SpecError(DeitError):
    pass


class DataError(DeitError):
    pass


class CheckpointError(DeitError):
    pass


class RunError(DeitError):
    pass


class LostRankError(RunError):
    pass


class ResourceError(DeitError):
    pass


class StoreError(DeitError):
    pass


class DamagedStoreError(StoreError):
    pass


class FullStoreError(StoreError):
    pass


class ReadOnlyStoreError(StoreError):
    pass


Loc = Sequence[int | str]  # the place of a mistake, from pydantic


def spec_error(
    error: "ValidationError", document: Any, fields: Callable[[Loc], Iterable[str]] = lambda loc: ()
) -> SpecError:
    """Turn pydantic's errors on a document into one SpecError, one sentence per mistake; runs may share a sentence.

    Of many mistakes it names the first few and counts the others.

    Args: fields: gives the paths of the existing fields in the run, or else in the document, that has the mistake.
    """
    # A mistake without its run -> run -> the sentence with its run.
    by_mistake: dict[tuple[bool, str], dict[str, str]] = {}
    similar: Counter[tuple[bool, str, str]] = Counter()
    closest: dict[tuple[bool, str, str], str] = {}
    num_others = 0
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and len(details) > 1:
            continue  # pydantic counts only the valid items: the others have their own sentences
        run, path = _place(detail["loc"], document)
        kind = (run == "", path, detail["type"])
        if len(similar) == _MISTAKES and kind not in similar:
            num_others += 1
            continue
        similar[kind] += 1
        if similar[kind] <= _RUNS:  # of more runs the message names none
            closest[kind] = nearest(path, fields(detail["loc"])) if detail["type"] == "extra_forbidden" else ""
        mistake = (run == "", _sentence(detail, "", path, closest[kind]))
        by_mistake.setdefault(mistake, {})[run] = _sentence(detail, run, path, closest[kind])
    sentences = [
        f"{_list(runs)}: {sentence}" if len(runs) > 1 else next(iter(runs.values()))
        for (_, sentence), runs in by_mistake.items()
    ]
    if num_others:
        sentences.append(f"There {'is' if num_others == 1 else 'are'} {num_others:,} more; correct these first.")
    return SpecError(" ".join(sentences))


def _list(runs: Iterable[str]) -> str:
    names = [shortened(run) for run in runs]
    return ", ".join(names[:_RUNS]) + (f" and {len(names) - _RUNS:,} more runs" if len(names) > _RUNS else "")


def _place(loc: Loc, document: Any) -> tuple[str, str]:
    """The run that has a mistake, empty where no run has it, and the path of the field in it."""
    run, path = "", list(loc)
    match path:
        case ["runs", int(index), *rest] if isinstance(document["runs"][index], dict):  # not runs.1.optim.lr
            name = document["runs"][index].get("name")
            run, path = name if isinstance(name, str) else f"runs.{index}", rest
    if "model" in path[:-2]:
        del path[path.index("model") + 1]  # here pydantic names the family; `replace` and --set do not
    return run, ".".join(map(str, path))


def _sentence(detail: "ErrorDetails", run: str, path: str, closest: str) -> str:
    where = ".".join(shortened(part) for part in (run, path) if part)
    match detail["type"]:
        case "extra_forbidden" if closest:
            return f"There is no field {where}; did you mean {'.'.join(filter(None, (run, closest)))}?"
        case "extra_forbidden":
            return f"There is no field {where}; remove it or check its spelling."
        case "missing":
            return f"{where} is missing; give it a value."
        case "string_unicode":
            return f"{where or 'The name of a field'} contains only half of a character; write it again."
        case "value_error":  # our own validators, already sentences
            return (run and f"{run}: ") + detail["msg"].removeprefix("Value error, ")
        case "string_too_short" | "string_pattern_mismatch":
            return f"{where} is empty; give it a value."
        case "string_too_long":
            return f"{where} has more than {detail['ctx']['max_length']:,} characters; make it shorter."
        case "union_tag_not_found":
            return f"{where}.family is missing; set it to vit, cnn, resnet9, torchvision or timm."
        case "union_tag_invalid":
            return f"{where}.family should be one of {detail['ctx']['expected_tags']}."
        case "int_parsing_size":
            return f"{where} is too large a number; make it smaller."
        case "too_long":
            return f"{where} has more than {detail['ctx']['max_length']:,} entries; make it shorter."
        case _:
            what = detail["msg"].removeprefix("Input should be ")
            return f"{where} should be {what}, not {quoted(detail['input'])}."
