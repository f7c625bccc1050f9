"""Muon on some parameters and AdamW on the rest, handled like one optimiser. Knows no model and no schedule.

Source: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), as torch ships it; steps are as large as AdamW's (Liu et
al. 2025, arXiv:2502.16982), so that one learning rate and one weight decay serve both.

    M matrices of one shape, A rows, B columns
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from deit_core.training.optimizers import AdamW, without_compiler

_RMS = 0.2  # root mean square of an update of AdamW


@without_compiler
class StackedMuon(torch.optim.Muon):
    """torch's Muon, which computes the products of all matrices of one shape at once.

    Its numbers are torch's to rounding, and its saved state has the same form. A step never waits for the device. The
    learning rate of a group is a number, or a tensor without axes on the device.

    Args:
        groups: parameter groups of two-dimensional parameters.
        products: what the products are computed in; bfloat16 in torch's.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], lr: float, products: torch.dtype) -> None:
        super().__init__(groups, lr=lr, adjust_lr_fn="match_rms_adamw")
        self.products = products

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Make one step, of the parameters that have a gradient."""
        updates = self._mean_gradients()
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for parameter in updates:
            by_shape.setdefault(parameter.shape, []).append(parameter)
        for shape, alike in by_shape.items():
            stack = self._orthogonalise(torch.stack([updates[parameter] for parameter in alike]))
            updates |= zip(alike, stack.mul_(_RMS * math.sqrt(max(shape))), strict=True)
        for group in self.param_groups:
            if parameters := [parameter for parameter in group["params"] if parameter in updates]:
                scaled = torch._foreach_mul([updates[parameter] for parameter in parameters], group["lr"])
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(parameters, scaled)

    def _mean_gradients(self) -> dict[Tensor, Tensor]:
        """The mean of each parameter's gradients so far, with Nesterov's look ahead."""
        means: dict[Tensor, Tensor] = {}
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            gradients = [parameter.grad for parameter in parameters]
            buffers = [self._buffer(parameter) for parameter in parameters]
            torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
            means |= zip(parameters, torch._foreach_lerp(gradients, buffers, group["momentum"]), strict=True)
        return means

    def _buffer(self, parameter: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]

    def _orthogonalise(self, stack: Tensor) -> Tensor:
        """The nearest orthogonal matrices of a stack (M, A, B), roughly: by Newton and Schulz' iteration."""
        a, b, c = self.defaults["ns_coefficients"]
        is_tall = stack.shape[1] > stack.shape[2]
        x = stack.to(self.products)
        x = x.mT if is_tall else x  # the products are smallest with few rows
        x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=self.defaults["eps"])
        for _ in range(self.defaults["ns_steps"]):
            gram = torch.bmm(x, x.mT)
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return (x.mT if is_tall else x).to(stack.dtype, memory_format=torch.contiguous_format)


class MuonWithAdamW:
    """Two optimisers as one.

    On a CPU Muon's products are in float32: many CPUs have none in bfloat16, and are many times slower in it.

    Args:
        matrices: parameter groups for Muon, of two-dimensional parameters on one device.
        others: parameter groups for AdamW.
    """

    def __init__(self, matrices: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], lr: float) -> None:
        is_cpu = matrices[0]["params"][0].device.type == "cpu"
        self.parts: tuple[torch.optim.Optimizer, ...] = (
            StackedMuon(matrices, lr, torch.float32 if is_cpu else torch.bfloat16),
            AdamW(others, lr=lr, fused=True),
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for part, its_state in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(its_state)
