"""Ranks that share a run: their shares of a batch and of a split, and that they compute what one process computes.

The other ranks are real processes, which talk by gloo.
"""

import os
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from unittest import mock

import psutil
import pytest
import torch
from whole_batch import TOLERANCE, numbers, without_dropout

from deit_core.data import TrainBatches, load_data
from deit_core.errors import LostRankError, RunError, SpecError
from deit_core.events import Event, RunStarted, StepDone
from deit_core.models import library_versions
from deit_core.spec import ComputeSpec, ExperimentSpec, RunSpec, replace
from deit_core.training import follower, leader, train
from deit_core.training.leader import Leader, check_devices
from deit_core.training.loop import session_events
from deit_core.training.meeting import Meeting, Task, described, difference
from deit_core.training.rank_processes import LocalProcesses
from deit_core.training.ranks import ALONE, Ranks
from deit_core.training.session import Session

CPU = torch.device("cpu")

starts_ranks = pytest.mark.skipif(
    os.environ.get("CLUSTER") != "1", reason="starts processes that train: make test-cluster"
)


@pytest.mark.parametrize("batch_size", [4, 7, 10, 64, 129])
@pytest.mark.parametrize("world", [1, 2])
def test_each_image_of_a_batch_has_one_rank_which_also_has_the_one_that_it_is_mixed_with(
    batch_size: int, world: int
) -> None:
    shares = [Ranks(rank, world).members(batch_size) for rank in range(world)]
    assert sorted(torch.cat(shares).tolist()) == list(range(batch_size))
    for share in shares:
        assert torch.equal(share.flip(0), batch_size - 1 - share)
    assert max(map(len, shares)) - min(map(len, shares)) <= 3


def test_a_batch_that_is_too_small_for_its_ranks_is_refused() -> None:
    with pytest.raises(SpecError, match=r"set optim.batch_size to 8 or more"):
        Ranks(0, 4).members(7)


@pytest.mark.parametrize("num_images", [3, 10, 11])
def test_each_image_of_a_split_is_evaluated_once(num_images: int) -> None:
    seen = [number for rank in range(3) for number in range(num_images)[Ranks(rank, 3).part(num_images)]]
    assert seen == list(range(num_images))


def test_the_ranks_of_a_batch_see_the_views_and_the_mixing_of_the_whole_batch(tiny: RunSpec) -> None:
    changes = {"crop_padding": 2, "mixup_alpha": 0.8, "cutmix_alpha": 1.0, "mixup_prob": 0.5, "random_erasing": 0.5}
    spec = replace(tiny, {f"augment.{name}": value for name, value in changes.items()})
    data = load_data(spec.data, Path("data"))
    whole, one, other = (TrainBatches(data.train, 63, spec.augment, 0, CPU) for _ in range(3))
    one.members, other.members = (Ranks(rank, 2).members(63) for rank in range(2))
    kinds = set()
    for batch, *parts in islice(zip(whole.epoch(1), one.epoch(1), other.epoch(1), strict=True), 8):
        kinds.add(batch.mix is None)
        for part, members in zip(parts, (one.members, other.members), strict=True):
            assert torch.equal(part.pixels, batch.pixels[members])
            assert torch.equal(part.labels, batch.labels[members])
            assert torch.equal(part.rows, batch.rows[members])
            if batch.mix is not None:
                assert torch.equal(part.mix.others, batch.mix.others[members])
    assert kinds == {True, False}


def alike(spec: RunSpec, folder: Path) -> None:
    """Train a run on one and on two devices, and compare all that they say."""
    spreads = replace(spec, {"compute.devices": 2})
    for one, two in zip(numbers(spec, folder / "one"), numbers(spreads, folder / "two"), strict=True):
        assert one == pytest.approx(two, rel=TOLERANCE, abs=1e-7)


def test_a_vit_learns_on_two_devices_what_it_learns_on_one(tiny: RunSpec, tmp_path: Path) -> None:
    mixed = {"augment.mixup_alpha": 0.8, "augment.mixup_prob": 0.5, "optim.clip_grad": 1.0, "optim.ema": "separate"}
    alike(without_dropout(tiny, **mixed, **{"optim.batch_size": 63}), tmp_path)


@starts_ranks
def test_so_does_a_deit_some_of_whose_images_have_no_label(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    teacher, _, deit = replace(tiny_trio, {"data.fraction": 0.3, "data.labelled_fraction": 0.5}).runs
    for _ in train(teacher, run_dir=tmp_path / teacher.name, num_threads=1):
        pass
    alike(without_dropout(deit), tmp_path)


def followers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "deit_core.training.follower" in one.cmdline()]


def killing(events: Iterator[Event], step: int) -> Iterator[Event]:
    """The events of a run whose other rank is killed once after a step."""
    is_killed = False
    for event in events:
        if isinstance(event, StepDone) and event.step == step and not is_killed:
            os.kill(followers()[0].pid, signal.SIGKILL)
            is_killed = True
        yield event


@starts_ranks
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_run_that_loses_a_rank_goes_on_by_itself_and_ends_as_if_nothing_had_been(
    tiny: RunSpec, tmp_path: Path
) -> None:
    spec = without_dropout(tiny, **{"compute.devices": 2})
    options = {"group_s": 0, "num_threads": 1}
    whole = list(train(spec, run_dir=tmp_path / "whole", **options))  # type: ignore[arg-type]
    events = list(killing(train(spec, run_dir=tmp_path / "cut", **options), 7))  # type: ignore[arg-type]
    starts = [event for event in events if isinstance(event, RunStarted)]
    assert [event.first_step for event in starts] == [0, 5]
    assert starts[1].notes[-1].startswith("Rank 1 of this run ended by signal 9")
    assert events[-1].metrics == whole[-1].metrics  # type: ignore[union-attr]
    assert followers() == []


@starts_ranks
def test_a_run_on_several_devices_stops_and_resumes(tiny: RunSpec, tmp_path: Path) -> None:
    spec = without_dropout(tiny, **{"compute.devices": 2})
    events = train(spec, run_dir=tmp_path, group_s=0, num_threads=1)
    assert isinstance(next(event for event in events if isinstance(event, StepDone)), StepDone)
    events.close()
    assert followers() == []
    started = next(iter(train(spec, run_dir=tmp_path, resume=True)))
    assert isinstance(started, RunStarted)
    assert started.first_step == 1


def test_a_cnn_on_several_cpu_devices_is_refused(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    spec = replace(tiny_trio.runs[0], {"compute.devices": 2})
    with pytest.raises(SpecError, match=r"batch norm.* set compute.devices of this run to 1"):
        list(train(spec, run_dir=tmp_path))


def test_more_devices_than_there_are_is_refused() -> None:
    with pytest.raises(SpecError, match=r"asks for 1000 devices of this machine, which has \d+ CPU core"):
        check_devices(ComputeSpec(devices=1000), CPU)


def test_a_run_for_several_machines_is_not_squeezed_into_one() -> None:
    with pytest.raises(SpecError, match=r"compute.nodes asks for 2 machines, and this is one; submit the run"):
        check_devices(ComputeSpec(devices=2, nodes=2), CPU)


def test_versions_are_told_apart_by_what_differs() -> None:
    own = described()
    assert own.items() >= library_versions().items()
    assert difference(own | {"host": "another"}, own) == ""
    assert difference(own | {"torch": "1.0"}, own) == f"torch 1.0, not {own['torch']}"
    assert difference({name: own[name] for name in own if name != "numpy"}, own).startswith("numpy missing, not ")


@starts_ranks
def test_ranks_of_two_versions_are_refused(tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deit_core.training.leader.described", lambda: described() | {"torch": "1.0"})
    with pytest.raises(RunError, match=r"rank 1 on .* has torch .*, not 1.0 as rank 0"):
        list(train(replace(tiny, {"compute.devices": 2}), run_dir=tmp_path))


def test_a_meeting_passes_on_tasks_and_what_ranks_say_of_themselves() -> None:
    meeting = Meeting(torch.distributed.HashStore())  # type: ignore[attr-defined]
    task = Task("runs/a", "runs", "data", None, 1.5, 2.0, "gloo")
    assert (meeting.give(task), meeting.give(None)) == (1, 2)
    assert (meeting.take(1), meeting.take(2)) == (task, None)
    assert (meeting.versions(1, 1), meeting.trouble(1)) == (None, "")
    meeting.say_versions(1, 1)
    meeting.say_trouble(1, "The disk is full.")
    assert (meeting.versions(1, 1), meeting.trouble(1)) == (described(), "The disk is full.")


def test_a_rank_leaves_a_task_that_rank_0_refuses() -> None:
    meeting = Meeting(torch.distributed.HashStore())  # type: ignore[attr-defined]
    task = Task("no such folder", "runs", "data", None, 1.5, 2.0, "gloo")
    meeting.decide(1, begins=False)
    follower.take(meeting, 1, task, Ranks(rank=1, world=2))
    assert meeting.trouble(1) == ""
    assert meeting.versions(1, 1) == described()


def test_rank_0_says_that_a_task_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]
    monkeypatch.setattr("deit_core.training.leader.Meeting", lambda: Meeting(store))
    monkeypatch.setattr("deit_core.machine.torchrun.world", lambda: 2)
    other = Meeting(store)
    other.say_versions(1, 1)
    monkeypatch.setattr("deit_core.training.leader.described", lambda: described() | {"torch": "1.0"})
    with pytest.raises(RunError, match="have different versions: rank 1"):
        Leader(2, None).gather(Task("run", "runs", "data", None, 1.5, 2.0, "gloo"))
    assert not other.begins(1)


def test_the_others_are_let_go_before_rank_0_scores_the_test_images(
    tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, score, done = mock.Mock(spec=Leader), Session.score_best, list[str]()
    leader.close.side_effect = lambda: done.append("lets go")
    monkeypatch.setattr(Session, "score_best", lambda self, best: done.append("scores") or score(self, best))
    options = {"run_dir": tmp_path, "runs_dir": tmp_path, "data_dir": Path("data"), "device": None, "images_gb": None}
    list(session_events(without_dropout(tiny, **{"optim.epochs": 1}), options, leader, 0, 1.0, resume=False))
    assert done[:2] == ["lets go", "scores"]


def test_a_split_with_fewer_images_than_devices_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^1 image cannot be shared by 2 devices; choose a larger data.val_fraction"):
        Ranks(0, 2).part(1)


def test_ranks_of_one_machine_meet_where_no_other_machine_can_reach_them() -> None:
    store = leader.store_at("127.0.0.1")
    listening = {one.laddr.ip for one in psutil.Process().net_connections() if one.laddr.port == store.port}
    assert listening == {"127.0.0.1"}


def test_ranks_of_one_machine_use_the_network_that_no_other_machine_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "")
    processes = mock.Mock(spec=LocalProcesses, host=LocalProcesses.host)
    processes.start.side_effect = LostRankError("The others are not needed.")
    with pytest.raises(LostRankError, match="not needed"):
        Leader(2, processes).gather(Task("run", "runs", "data", None, 1.5, 2.0, "gloo"))
    [environment] = processes.start.call_args.args[0].values()
    network = environment["GLOO_SOCKET_IFNAME"]
    assert os.environ["GLOO_SOCKET_IFNAME"] == network
    assert psutil.net_if_addrs()[network][0].address == "127.0.0.1"


def test_a_world_of_one_sums_up_to_itself() -> None:
    tensor = torch.ones(3)
    ALONE.add_up([tensor])
    assert tensor.tolist() == [1, 1, 1]
    assert ALONE.totals({"loss": 0.1}) == {"loss": 0.1}
