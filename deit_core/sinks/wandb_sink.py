"""Numbers of a run for Weights & Biases: sent there where a key is set, else kept as files beside the runs."""

import json
import os
from collections.abc import Mapping
from typing import Literal

from deit_core.sinks.sink import Told

_STEP = "global_step"
_PROJECT = "DeiT Lab"
_WAIT_S = 60.0  # for what is still to be sent when a run ends; the rest stays in the folder


class WandbSink:
    """A run of W&B. A resumed run goes on in the run of W&B that it began, and its curves show both sessions."""

    def __init__(self, told: Told) -> None:
        import wandb

        told.folder.mkdir(parents=True, exist_ok=True)
        mode: Literal["online", "offline"] | None = "online" if os.environ.get("WANDB_API_KEY") else "offline"
        if os.environ.get("WANDB_MODE"):
            mode = None  # W&B reads it itself
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            id=told.id,
            name=told.name,
            group=told.experiment or None,
            config=json.loads(told.spec),
            dir=told.folder.parent,  # where it makes a folder of its name
            mode=mode,
            resume="allow",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, finish_timeout=_WAIT_S),
        )
        self._run.define_metric("*", step_metric=_STEP)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        self._run.log({**metrics, _STEP: step})

    def close(self, *, is_completed: bool) -> None:
        self._run.finish(exit_code=0 if is_completed else 1)
