"""The sinks of one run: events in, numbers out to each of the tools. One that fails is left out from then on.

Knows events; nothing of stores, processes, or how a run ends.
"""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deit_core.events import EpochDone, Event, RunFinished, RunStarted, StepDone
from deit_core.sinks.mlflow_sink import MlflowSink
from deit_core.sinks.sink import Sink, Told
from deit_core.sinks.tensorboard_sink import TensorBoardSink
from deit_core.sinks.wandb_sink import WandbSink
from deit_core.text.quoting import shortened

log = logging.getLogger("deit_core.worker")

OPEN: dict[str, Callable[[Told], Sink]] = {"tensorboard": TensorBoardSink, "mlflow": MlflowSink, "wandb": WandbSink}
_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny cryptography", "wandb": "wandb"}

_USER = re.compile(r"(?<=://)[^/\s]*@")  # and password, in the address of a server that an error quotes


class Sinks:
    """Gives the events of a run to tools, and says in sentences where one cannot take them.

    Args:
        names: of the tools.
        runs_dir: each tool has a folder of its name in there.
        id, name, experiment, spec: of the run, the spec as JSON.
        say: called with a sentence for the user.
        with_test: whether the numbers of test images are given too.
    """

    def __init__(
        self,
        names: Sequence[str],
        runs_dir: Path,
        *,
        id: str,
        name: str,
        experiment: str,
        spec: str,
        say: Callable[[str], None],
        with_test: bool = True,
    ) -> None:
        self._names, self._runs_dir, self._say, self._with_test = names, runs_dir, say, with_test
        self._run = {"id": id, "name": name, "experiment": experiment, "spec": spec}
        self._open: dict[str, Sink] = {}
        self._is_completed = False

    def take(self, event: Event) -> None:
        """Give one event to every tool."""
        match event:
            case RunStarted():
                for name in self._names:
                    told = Told(**self._run, folder=self._runs_dir / name, first_step=event.first_step)
                    self._try(name, partial(self._begin, name, told))
            case StepDone():
                self._write({f"step/{name}": value for name, value in event.metrics.items()}, event.step)
            case EpochDone():
                self._write({f"epoch/{name}": value for name, value in event.metrics.items()}, event.step)
            case RunFinished():
                self._is_completed = True
                if self._with_test:
                    self._write({f"result/{name}": value for name, value in event.metrics.items()}, event.step)

    def close(self) -> None:
        """Finish what the tools have."""
        for name, sink in list(self._open.items()):
            self._try(name, partial(sink.close, is_completed=self._is_completed))
        self._open = {}

    def _begin(self, name: str, told: Told) -> None:
        self._open[name] = OPEN[name](told)

    def _write(self, metrics: dict[str, float], step: int) -> None:
        for name, sink in list(self._open.items()):
            self._try(name, partial(sink.write, metrics, step))

    def _try(self, name: str, action: Callable[[], object]) -> None:
        """Do something with a tool. Whatever it raises, the run goes on without it."""
        try:
            action()
        except ModuleNotFoundError as error:
            self._leave_out(name, f"{error}; install it with `python -m pip install {_PACKAGES[name]}`")
        except Exception as error:
            said = _USER.sub("", str(error))
            log.warning("%s failed: %s: %s", name, type(error).__name__, said)
            self._leave_out(name, f"it failed ({type(error).__name__}: {shortened(said)})")

    def _leave_out(self, name: str, reason: str) -> None:
        self._open.pop(name, None)
        self._say(f"From here on nothing goes to {name}: {reason}.")
