"""The size of a network of timm's, counted in the network itself, built without memory for its tensors.

Loads timm and torch, as nothing else of deit_core.memory does: timm has more than a thousand networks, and new ones in
each version.
"""

from functools import cache

import torch
from torch import Tensor, nn

from deit_core.errors import SpecError
from deit_core.timm_ops import create_network, facts_of, head_names

_NUM_IMAGES = 16  # of which each has a small share in what is kept for the whole batch


@cache
def count(name: str, side: int, num_classes: int, is_frozen: bool) -> tuple[int, int, int, int]:
    """The four numbers of a `NetworkSize`, for images of `side` pixels.

    Raises: SpecError where timm has no such network, or it cannot read images of that size.
    """
    network = create_network(name, num_classes, "meta").train()
    heads = [network.get_submodule(head) for head in head_names(name)]
    if is_frozen:
        network.requires_grad_(False)
        for head in heads:
            head.requires_grad_(True)
    passed, kept = _try(network, name, side)
    parameters = list(network.parameters())
    num_trained = sum(one.numel() for one in parameters if one.requires_grad)
    return sum(one.numel() for one in parameters), num_trained, kept, passed


def _try(network: nn.Module, name: str, side: int) -> tuple[int, int]:
    """For each image the numbers of the largest layer with its input, and those kept for the backward pass."""
    own = {tensor.untyped_storage()._cdata for tensor in network.state_dict().values()}
    layers: list[int] = []
    kept: dict[int, Tensor] = {}

    def note(_: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        layers.append(sum(one.numel() for one in (*inputs, output) if isinstance(one, Tensor)))

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor  # which keeps the address in use
        return tensor

    for module in network.modules():
        if not [*module.children()]:
            module.register_forward_hook(note)
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = network(torch.empty(_NUM_IMAGES, 3, side, side, device="meta"))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise SpecError(
            f"timm's {name} cannot read images of {side} px ({reason}); set model.input_size, for example to its own "
            f"{facts_of(name).input_size[-1]}."
        ) from error
    del output
    num_bytes = sum(one.untyped_storage().nbytes() for address, one in kept.items() if address not in own)
    return max(layers) // _NUM_IMAGES, num_bytes // 4 // _NUM_IMAGES
