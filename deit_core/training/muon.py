"""Muon on some parameters and AdamW on the rest, handled like one optimiser. Knows no model and no schedule.

Source: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), as torch ships it; steps are as large as AdamW's (Liu et
al. 2025, arXiv:2502.16982), so that one learning rate and one weight decay serve both.
"""

from collections.abc import Sequence
from typing import Any

import torch

from deit_core.training.optimizers import AdamW, without_compiler

Muon = without_compiler(torch.optim.Muon)


class MuonWithAdamW:
    """Two optimisers as one.

    Args:
        matrices: parameter groups for Muon, of two-dimensional parameters.
        others: parameter groups for AdamW.
    """

    def __init__(self, matrices: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], lr: float) -> None:
        self.parts: tuple[torch.optim.Optimizer, ...] = (
            Muon(matrices, lr=lr, adjust_lr_fn="match_rms_adamw"),
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
