"""torch's optimisers without its compiler, which they load on their first step, only to say that they are not compiled.

Loading it takes a second or more, and here only models are compiled. The numbers are the same as torch's.
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
