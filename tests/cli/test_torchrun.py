"""The command `train` in the processes of torchrun: one run, which goes on where torchrun starts them again."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from deit_core.cli.training import on_ranks
from deit_core.errors import SpecError
from deit_core.presets import digits_quick, smoke
from deit_core.runs import Status, open_store
from deit_core.settings import Settings
from deit_core.spec import replace

QUICK = {"data.fraction": 0.3, "optim.epochs": 8, "compute.precision": "float32"}  # five steps an epoch


def start(settings: Settings, *words: str) -> subprocess.Popen[str]:
    changes = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *words),
            *("-m", "deit_core", "train", "smoke", *changes),
        ],
        env=os.environ | settings.environment() | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def second_rank(agent: psutil.Process) -> psutil.Process:
    return next(one for one in agent.children() if one.environ().get("RANK") == "1")


@pytest.mark.skipif(os.environ.get("CLUSTER") != "1", reason="starts processes that train: make test-cluster")
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun for Windows has no such signals")
def test_a_killed_rank_is_started_again_and_the_run_goes_on_to_its_end(settings: Settings) -> None:
    torchrun = start(settings, "--max-restarts=1")
    deadline = time.monotonic() + 600
    while torchrun.poll() is None and not list(settings.runs_dir.glob("*/epochs/0001.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if torchrun.poll() is None:
        second_rank(psutil.Process(torchrun.pid)).send_signal(signal.SIGKILL)
    output, _ = torchrun.communicate(timeout=600)
    assert torchrun.returncode == 0, output
    store = open_store(settings.store_url)
    (run,) = store.runs()
    assert (run.status, run.step, run.spec.compute.devices) == (Status.COMPLETED, 40, 2), output
    assert [entry.status for entry in store.lifecycle(run.id)].count(Status.INTERRUPTED) == 1, output


def test_runs_take_all_processes_unless_the_spec_says_which_do() -> None:
    trio = digits_quick()
    assert [run.compute.devices for run in on_ranks(trio, 4).runs] == [4, 4, 4]
    some = replace(trio, {"deit.compute.devices": 4})
    assert on_ranks(some, 4) == some


def test_another_number_of_processes_than_the_spec_has_devices_is_refused() -> None:
    with pytest.raises(SpecError, match=r"compute.devices is 3, but torchrun has started 2 processes"):
        on_ranks(replace(smoke(), {"compute.devices": 3}), 2)
