"""The only import of timm, which is optional: networks by name, and the modules that give their logits.

timm imports torchvision, so what torchvision needs comes first (`torchvision_ops`).
"""

from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from deit_core import torchvision_ops  # noqa: F401
from deit_core.errors import SpecError
from deit_core.text.quoting import quoted

try:
    import timm
    from timm.models import VisionTransformer as VisionTransformer
except ModuleNotFoundError as error:
    raise SpecError(
        "Networks of timm's need the package timm, which is not installed; run `python -m pip install "
        '"deit-lab[timm]"`, or choose another model.family.'
    ) from error

_NUM_NEAR = 3  # names in a message


def create_network(name: str, num_classes: int, device: str = "cpu") -> nn.Module:
    """An untrained network by its name, such as resnet18 or resnet18.a1_in1k.

    Raises: SpecError where timm has no classifier of that name.
    """
    facts_of(name)
    with torch.device(device):
        network: nn.Module = timm.create_model(name, num_classes=num_classes)
    return network


def facts_of(name: str) -> Any:
    """What timm publishes of a network: `mean` and `std` of its pixels, its `input_size`, its `classifier`.

    Raises: SpecError as `create_network`.
    """
    try:
        facts = timm.get_pretrained_cfg(name)
    except RuntimeError:  # the name is known, and what follows the dot is not
        facts = None
    if facts is None or facts.classifier is None:
        raise SpecError(f"timm has no classifier called {quoted(name)}; {_advice(name)}")
    return facts


def head_names(name: str) -> tuple[str, ...]:
    """The modules of a network that give its logits: one, or two in a DeiT. Raises: SpecError as `create_network`."""
    classifier = facts_of(name).classifier
    return (classifier,) if isinstance(classifier, str) else tuple(classifier)


def _advice(name: str) -> str:
    near = get_close_matches(name.partition(".")[0].lower(), timm.list_models(), _NUM_NEAR)
    if not near:
        return "`timm.list_models()` lists the names in Python."
    return f"did you mean {' or '.join(near)}?"
