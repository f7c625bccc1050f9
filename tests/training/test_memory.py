"""Out of memory: told in a sentence whose number of parts then trains under the very same limit."""

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch

from deit_core.errors import ResourceError
from deit_core.events import CheckpointSaved, RunFinished
from deit_core.runs import Status, open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace
from deit_core.training import memory, train
from deit_core.training.memory import is_out_of_memory
from deit_core.training.step import TrainStep

_UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
import psutil
import deit_core.training.loop
from deit_core.data import load_data
from deit_core.errors import ResourceError
from deit_core.events import RunFinished
from deit_core.spec import load_spec, replace
spec, folder = load_spec(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
train = deit_core.training.loop.train
load_data(spec.data, folder)
limit = psutil.Process().memory_info().vms + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    for _ in train(spec, run_dir=folder / "large", num_threads=1):
        pass
except ResourceError as error:
    print(error)
    steps = int(str(error).split("gradient_accumulation_steps ")[1].split(",")[0])
else:
    sys.exit("it fitted")
parts = {"compute.gradient_accumulation_steps": steps}
for event in train(replace(spec, parts), run_dir=folder / "parts", num_threads=1):
    pass
assert isinstance(event, RunFinished), event
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_the_number_of_parts_that_is_named_trains_under_the_same_limit(tiny: RunSpec, tmp_path: Path) -> None:
    """A step of 256 images keeps some 600 MB, nearly all of it attention, and the process may take 200 MB more."""
    many_tokens = {"data.img_size": 30, "model.patch_size": 2, "model.depth": 1, "model.embed_dim": 16}
    few_images = {"data.fraction": 0.25, "optim.batch_size": 256, "optim.epochs": 1, "optim.warmup_epochs": 0}
    spec = replace(tiny, many_tokens | few_images)
    file = tmp_path / "spec.json"
    file.write_text(spec.model_dump_json())
    command = [sys.executable, "-c", _UNDER_A_LIMIT, str(file), str(tmp_path), str(200 * 2**20)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    match = re.fullmatch(
        r"Out of memory: there was not enough for a step of 256 images; (\d+) fit\. Start again with "
        r"compute\.gradient_accumulation_steps (\d+), which computes a batch of 256 in parts of \1, .*",
        done.stdout.strip(),
    )
    assert match
    assert (int(match[1]), int(match[2])) in [(size, 256 // size) for size in (8, 16, 32, 64, 128)]


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """From step `at` on, steps of more than `fit` images fail as torch's allocator does."""
    limits, honest = {"at": 0, "fit": 0}, TrainStep.__call__

    def short(self: TrainStep, pixels: torch.Tensor, labels: torch.Tensor, step: int, *rest: object) -> object:
        if step >= limits["at"] or limits.get("failed"):
            limits["failed"] = 1
            if len(pixels) > limits["fit"]:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to ...")
        return honest(self, pixels, labels, step, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainStep, "__call__", short)
    return limits


def test_the_last_saved_state_is_kept_and_resumes(
    tiny: RunSpec, tmp_path: Path, short_of_memory: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory |= {"at": 20, "fit": 32}
    with pytest.raises(ResourceError, match=r"a step of 64 images; 16 fit"):
        list(train(tiny, run_dir=tmp_path / "r", group_s=0))
    monkeypatch.undo()
    events = list(train(tiny, run_dir=tmp_path / "r", resume=True))
    assert events[0].first_step == 17  # type: ignore[union-attr]
    assert isinstance(events[-1], RunFinished)
    assert any(isinstance(event, CheckpointSaved) for event in events)


def test_a_worker_says_it_and_the_run_can_be_resumed(
    settings: Settings, tiny: RunSpec, short_of_memory: dict[str, int]
) -> None:
    short_of_memory |= {"at": 20, "fit": 32}
    (run,), mistake = train_here(open_store(settings.store_url), settings, tiny, lambda *_: None)
    assert run.status == Status.FAILED
    assert run.status.can_resume
    assert "16 fit. Start again with compute.gradient_accumulation_steps 4" in run.message
    assert mistake is not None
    assert not any(frame.f_locals for frame, _ in traceback.walk_tb(mistake.__traceback__) if "loop" in str(frame))


@pytest.mark.parametrize(
    ("fit", "words"),
    [(2, "not even 4 fit; start again with a smaller model"), (10_000, "something else had used the memory")],
)
def test_where_no_smaller_batch_would_help(
    fit: int,
    words: str,
    tiny: RunSpec,
    tmp_path: Path,
    short_of_memory: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_of_memory |= {"at": 20, "fit": fit}
    if fit > 64:
        monkeypatch.setattr("deit_core.training.session.evaluate", _fail)
    with pytest.raises(ResourceError, match=words):
        list(train(tiny, run_dir=tmp_path / "r"))


def _fail(*_: object, **__: object) -> None:
    raise MemoryError


def test_a_model_and_data_that_do_not_fit_are_told_apart(
    tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deit_core.training.session.build_model", _fail)
    with pytest.raises(ResourceError, match="for the data and the model"):
        list(train(tiny, run_dir=tmp_path / "r"))


def test_on_a_cpu_what_cannot_be_there_is_not_tried(
    tiny: RunSpec, tmp_path: Path, short_of_memory: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that grants more than it has would end the process, once it is used."""
    short_of_memory |= {"at": 20, "fit": 10_000}
    monkeypatch.setattr("deit_core.training.session.evaluate", _fail)
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000)
    with pytest.raises(ResourceError, match=r"images; (4|8|16|32) fit"):
        list(train(tiny, run_dir=tmp_path / "r"))


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) == is_it
