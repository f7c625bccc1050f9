"""What heads and tokens tell about distillation, from a pass over images that is made anyway.

    B batch, N images, K classes, D width, L blocks

Source: Touvron et al. 2021 (arXiv:2012.12877), section 4: the cosine of both tokens, 0.06 at the input and 0.93 at the
end, and table 4: who decides as whom.
"""

import torch
from torch import Tensor

from deit_core.metrics import HEADS_AGREE, VAL_AGREEMENT, VAL_ENTROPY, token_cosine
from deit_core.training.outputs import Outputs
from deit_core.training.ranks import ALONE, Ranks

_ENDS = {"mean": "", "class": "_class", "distillation": "_distillation"}


class HeadMeasures:
    """Reads an evaluation of the validation images.

    Args: teacher: the teacher's logits (N, K) for all of them, in their order; None without a teacher.
    """

    def __init__(self, teacher: Tensor | None) -> None:
        self._decisions = None if teacher is None else teacher.argmax(-1)
        self.start()

    def start(self) -> None:
        """Forget an evaluation that did not come to its end."""
        self._sums: dict[str, Tensor] = {}
        self._num_images = 0

    def read(self, outputs: Outputs, labels: Tensor) -> None:
        """Add a batch."""
        heads = {end: outputs.heads[head] for head, end in _ENDS.items() if head in outputs.heads}
        for end, logits in heads.items():
            log_probabilities = logits.float().log_softmax(-1)
            self._add(VAL_ENTROPY + end, -(log_probabilities.exp() * log_probabilities).sum(-1))
        if self._decisions is not None:
            decisions = self._decisions[self._num_images : self._num_images + len(labels)]
            for end, logits in heads.items():
                self._add(VAL_AGREEMENT + end, logits.argmax(-1) == decisions)
        if len(heads) > 1:
            self._add(HEADS_AGREE, heads["_class"].argmax(-1) == heads["_distillation"].argmax(-1))
        for block, (class_token, distillation_token) in enumerate(outputs.token_pairs):
            cosine = torch.cosine_similarity(class_token.float(), distillation_token.float(), dim=-1)
            self._add(token_cosine(block), cosine)
        self._num_images += len(labels)

    def means(self, ranks: Ranks = ALONE) -> dict[str, float]:
        """Of all batches since the start, by the names of the metrics. Args: ranks: who have read the other images."""
        values = torch.stack(list(self._sums.values())).tolist()
        totals = ranks.totals({"": self._num_images, **dict(zip(self._sums, values, strict=True))})
        num_images = totals.pop("")
        return {name: total / num_images for name, total in totals.items()}

    def _add(self, name: str, values: Tensor) -> None:
        """Add what was measured of each image (B,)."""
        total = values.sum(dtype=torch.float64 if values.device.type == "cpu" else torch.float32)
        self._sums[name] = self._sums[name] + total if name in self._sums else total
