"""Numbers of a run for TensorBoard, as event files. Loads torch."""

from collections.abc import Mapping

from deit_core.plain_text import file_name
from deit_core.sinks.sink import Told


class TensorBoardSink:
    """A folder that `tensorboard --logdir` shows. A resumed run hides what was measured after its saved state."""

    def __init__(self, told: Told) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = told.folder / f"{file_name(told.name)}-{told.id}"
        self._writer = SummaryWriter(str(folder), purge_step=told.first_step + 1 if told.first_step else None)
        self._writer.add_text("spec", f"```json\n{told.spec}\n```")

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, is_completed: bool) -> None:
        self._writer.close()
