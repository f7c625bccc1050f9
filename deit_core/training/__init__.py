"""Training one run: the loop and its checkpoints."""

from deit_core.training.device import choose_device
from deit_core.training.evaluation import evaluate, head_logits
from deit_core.training.loop import train

__all__ = ["choose_device", "evaluate", "head_logits", "train"]
