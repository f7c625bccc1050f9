"""What a person can get wrong, each a sentence that says what is wrong and what to do.

DeitError (ValueError)
  SpecError          a preset, a field or a combination of fields that cannot be trained
  DataError          a data set that is missing or damaged, an upload that is no image
  CheckpointError    a checkpoint that is missing, damaged or made for something else
  RunError           a run that is asked for something that its status does not allow
  ResourceError      a machine without the memory or the disk space that a run needs
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class DeitError(ValueError):
    """The root: everything a person can mend. Its text is shown to people as it is."""


class SpecError(DeitError):
    pass


class DataError(DeitError):
    pass


class CheckpointError(DeitError):
    pass


class RunError(DeitError):
    pass


class ResourceError(DeitError):
    pass


def spec_error(error: "ValidationError", document: Any) -> SpecError:
    """Turn what pydantic found in a document into one SpecError, a sentence a field."""
    return SpecError(" ".join(dict.fromkeys(_sentences(error, document))))


def _sentences(error: "ValidationError", document: Any) -> Iterable[str]:
    details = error.errors()
    for detail in details:
        if detail["type"] == "too_short" and len(details) > 1:
            continue  # pydantic counts only the sound items: the others have their own sentences
        loc = list(detail["loc"])
        match loc:
            case ["runs", int(index), *_] if isinstance(
                document["runs"][index], dict
            ):  # vit.optim.lr, not runs.1.optim.lr
                loc[:2] = [document["runs"][index].get("name", f"runs.{index}")]
        if "model" in loc[:-2]:
            del loc[loc.index("model") + 1]  # pydantic names the family there; `replace` and --set do not
        where = ".".join(str(part) for part in loc)
        match detail["type"]:
            case "extra_forbidden":
                yield f"There is no field {where}; remove it or check its spelling."
            case "missing":
                yield f"{where} is missing; give it a value."
            case "value_error":  # our own validators, already sentences
                in_run = f"{loc[0]}: " if detail["loc"][:1] == ("runs",) and len(detail["loc"]) > 1 else ""
                yield in_run + detail["msg"].removeprefix("Value error, ")
            case "string_too_short" | "string_pattern_mismatch":
                yield f"{where} is empty; give it a value."
            case "string_too_long":
                yield f"{where} has more than {detail['ctx']['max_length']:,} characters; make it shorter."
            case "union_tag_not_found":
                yield f"{where}.family is missing; set it to vit, resnet9 or torchvision."
            case "union_tag_invalid":
                yield f"{where}.family should be one of {detail['ctx']['expected_tags']}."
            case _:
                what = detail["msg"].removeprefix("Input should be ")
                yield f"{where} should be {what}, not {detail['input']!r}."
