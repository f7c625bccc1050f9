"""Sinks: each tool's own reader finds the numbers, and no failure of a tool reaches the training."""

import json
import struct
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from deit_core.errors import SpecError
from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.runs import Status, open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.sinks import Sinks, every_sink
from deit_core.sinks.mlflow_sink import MlflowSink
from deit_core.sinks.sink import Told
from deit_core.spec import RunSpec, replace

STARTED = RunStarted(1, 2, 3, 4, steps_per_epoch=10, total_steps=20, first_step=0, device="cpu", num_threads=1)
SESSION = [
    STARTED,
    StepDone(5, 1, 1.0, {"train_loss": 2.0}),
    EpochDone(10, 1, 2.0, {"val_accuracy": 0.5}, is_best=True),
    RunFinished(10, 1, 2.0, {"test_accuracy": 0.25}),
]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sinks(tmp_path: Path, said: list[str]) -> Callable[..., Sinks]:
    def make(*names: str, **options: bool) -> Sinks:
        about = {"id": "abcd1234", "name": "vit lr 0.001", "experiment": "an experiment", "spec": "{}"}
        return Sinks(names, tmp_path, say=said.append, **about, **options)

    return make


def scalars(tmp_path: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (folder,) = (tmp_path / "tensorboard").iterdir()
    found = accumulator.EventAccumulator(str(folder)).Reload()
    return {name: [(one.step, one.value) for one in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_tensorboard_reads_a_run_and_its_resumed_session(
    sinks: Callable[..., Sinks], tmp_path: Path, said: list[str]
) -> None:
    pytest.importorskip("tensorboard")
    first = sinks("tensorboard")
    for event in (STARTED, StepDone(5, 1, 1.0, {"train_loss": 2.0}), StepDone(9, 1, 1.0, {"train_loss": 9.0})):
        first.take(event)
    first.close()
    second = sinks("tensorboard")
    resumed = RunStarted(1, 2, 3, 4, steps_per_epoch=10, total_steps=20, first_step=5, device="cpu", num_threads=1)
    for event in (resumed, StepDone(10, 1, 1.0, {"train_loss": 1.0}), *SESSION[2:]):
        second.take(event)
    second.close()
    assert said == []
    assert scalars(tmp_path) == {
        "step/train_loss": [(5, 2.0), (10, 1.0)],
        "epoch/val_accuracy": [(10, 0.5)],
        "result/test_accuracy": [(10, 0.25)],
    }


def test_a_search_gives_no_test_number_away(sinks: Callable[..., Sinks], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    opened = sinks("tensorboard", with_test=False)
    for event in SESSION:
        opened.take(event)
    opened.close()
    assert set(scalars(tmp_path)) == {"step/train_loss", "epoch/val_accuracy"}


@pytest.mark.filterwarnings("ignore")  # of MLflow's own
def test_mlflow_reads_a_run_and_its_resumed_session(
    sinks: Callable[..., Sinks], tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for events in (SESSION[:2], [STARTED, *SESSION[2:]]):
        opened = sinks("mlflow")
        for event in events:
            opened.take(event)
        opened.close()
    assert said == []
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("an experiment").experiment_id])
    assert run.data.metrics == {"step/train_loss": 2.0, "epoch/val_accuracy": 0.5, "result/test_accuracy": 0.25}
    assert (run.info.status, run.info.run_name) == ("FINISHED", "vit lr 0.001")


def begin(folder: Path, number: int) -> None:
    MlflowSink(Told(str(number), f"run {number}", "an experiment", "{}", folder, 0))


@pytest.mark.filterwarnings("ignore")  # of MLflow's own
def test_runs_that_begin_at_one_moment_share_the_new_file_of_mlflow(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    with ProcessPoolExecutor(3, get_context("spawn")) as processes:
        list(processes.map(begin, [tmp_path] * 3, range(3)))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert len(client.search_runs([client.get_experiment_by_name("an experiment").experiment_id])) == 3


@pytest.mark.filterwarnings("ignore")  # of MLflow's own
def test_an_experiment_that_another_machine_has_just_made_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    begin(tmp_path, 1)
    look, answers = mlflow.MlflowClient.get_experiment_by_name, iter([None])
    monkeypatch.setattr(
        mlflow.MlflowClient, "get_experiment_by_name", lambda self, name: next(answers, look(self, name))
    )
    begin(tmp_path, 2)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert len(client.search_runs([look(client, "an experiment").experiment_id])) == 2


def logged(file: Path) -> list[dict[str, float]]:
    """What W&B has written into its file, which is a log of LevelDB's: pieces in blocks of 32,768 bytes."""
    records = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    content, rows, record, place = file.read_bytes(), list[dict[str, float]](), b"", 7
    while place + 7 < len(content):
        if 32_768 - place % 32_768 < 7:
            place += 32_768 - place % 32_768  # no piece begins in the last bytes of a block
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            items = records.Record.FromString(record).history.item
            rows += [{item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}] if items else []
            record = b""
    return rows


def test_wandb_keeps_both_sessions_of_a_run_where_it_has_no_key(
    sinks: Callable[..., Sinks], tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for events in (SESSION[:2], [STARTED, *SESSION[2:]]):
        opened = sinks("wandb")
        for event in events:
            opened.take(event)
        opened.close()
        ended = int(time.time())
        while int(time.time()) == ended:  # W&B names the folder of a session by its second
            time.sleep(0.05)
    assert said == []
    files = sorted(tmp_path.glob("wandb/offline-run-*-abcd1234/run-abcd1234.wandb"))
    rows = [{name: row[name] for name in row if not name.startswith("_")} for file in files for row in logged(file)]
    assert rows == [
        {"global_step": 5, "step/train_loss": 2.0},
        {"global_step": 10, "epoch/val_accuracy": 0.5},
        {"global_step": 10, "result/test_accuracy": 0.25},
    ]


class Broken:
    """A tool that fails where it is told to."""

    def __init__(self, where: str) -> None:
        self.where, self.written = where, 0
        if where == "open":
            raise ModuleNotFoundError("No module named 'mlflow'")

    def write(self, metrics: dict[str, float], step: int) -> None:
        self.written += 1
        if self.where == "write":
            raise OSError("http://me:secret@lab/api is full")

    def close(self, *, is_completed: bool) -> None:
        if self.where == "close":
            raise TimeoutError


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (
            "open",
            "From here on nothing goes to mlflow: No module named 'mlflow'; install it with `python -m pip install "
            "mlflow-skinny cryptography`.",
        ),
        ("write", "From here on nothing goes to mlflow: it failed (OSError: http://lab/api is full)."),
        ("close", "From here on nothing goes to mlflow: it failed (TimeoutError: )."),
    ],
)
def test_a_tool_that_fails_is_left_out(
    where: str, sentence: str, sinks: Callable[..., Sinks], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(every_sink, "OPEN", {"mlflow": lambda told: Broken(where)})
    opened = sinks("mlflow")
    for event in SESSION:
        opened.take(event)
    opened.close()
    assert said == [sentence]


def test_a_training_goes_on_without_a_tool_and_says_so(
    settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(every_sink, "OPEN", {"mlflow": lambda told: Broken("write")})
    store = open_store(settings.store_url)
    chosen = Settings(**vars(settings) | {"log_to": ("mlflow",)})
    (run,), mistake = train_here(store, chosen, replace(tiny, {"optim.epochs": 2}), lambda run, event: None)
    assert (run.status, mistake) == (Status.COMPLETED, None)
    assert any("nothing goes to mlflow" in event.message for event in store.lifecycle(run.id))


def test_an_unknown_tool_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_LOG_TO", "tensorboard, mlflow")
    assert Settings.from_env().log_to == ("tensorboard", "mlflow")
    monkeypatch.setenv("DEIT_LOG_TO", "tensorbord")
    with pytest.raises(SpecError, match="tensorboard, mlflow, wandb with a comma between them, not 'tensorbord'"):
        Settings.from_env()
