"""torch's optimisers, without its compiler: they load it on their first step, in a second or more, only to keep it away
from themselves; but here only models are compiled. They compute what torch's compute.
"""

import inspect
from typing import TypeVar, cast

import torch

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

_MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")  # for the compiler to leave alone


def without_compiler(kind: type[Kind]) -> type[Kind]:
    """The class with the functions that torch wrapped for its compiler."""
    unwrapped = {name: inspect.unwrap(getattr(kind, name)) for name in _MARKED}
    unwrapped["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return cast(type[Kind], type(kind.__name__, (kind,), unwrapped))


AdamW = without_compiler(torch.optim.AdamW)
SGD = without_compiler(torch.optim.SGD)
