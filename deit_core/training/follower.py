"""A rank that another process leads: it makes its share of each step and of each evaluation, and writes nothing.

`python -m deit_core.training.follower`, with the environment of torch.distributed, takes one task; what torchrun has
started takes tasks until there is no other (`follow_all`).
"""

import os
import signal
from pathlib import Path

from deit_core.errors import LostRankError
from deit_core.layout import RunFiles
from deit_core.machine.threads import spin_briefly
from deit_core.refusals import user_error
from deit_core.spec import RunSpec
from deit_core.training.meeting import Meeting, Task, part
from deit_core.training.memory import is_out_of_memory
from deit_core.training.ranks import Order, Ranks
from deit_core.training.session import Session


def follow_all(ranks: Ranks) -> None:
    """Take tasks until rank 0 says that there is no other."""
    meeting, number = Meeting(), 1
    while (task := meeting.take(number)) is not None:
        take(meeting, number, task, ranks)
        number += 1


def take(meeting: Meeting, number: int, task: Task, ranks: Ranks) -> None:
    """Follow one task until rank 0 parts from this one: the run has ended or stopped, or rank 0 is gone."""
    for one in (signal.SIGINT, signal.SIGTERM):  # they are for rank 0, which saves first
        signal.signal(one, signal.SIG_IGN)
    try:
        meeting.say_versions(number, ranks.rank)
        if meeting.begins(number):
            meeting.join(number, ranks.rank, ranks.world, task.backend)
            _follow(task, ranks)
    except LostRankError:
        pass
    except Exception as error:
        meeting.say_trouble(number, _sentence(error, ranks.rank))
        raise
    finally:
        part()
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)


def _follow(task: Task, ranks: Ranks) -> None:
    spec = RunSpec.model_validate_json(RunFiles(Path(task.run_dir)).spec.read_bytes())
    session = Session(
        spec,
        run_dir=Path(task.run_dir),
        runs_dir=Path(task.runs_dir),
        data_dir=Path(task.data_dir),
        resume=True,
        device=task.device,
        images_gb=task.images_gb,
        ranks=ranks,
    )
    try:
        session.prepare()
        session.open_teacher_logits(task.logits_gb)
        ranks.meet()
        session.model.train()
        batches = session.epoch()
        while True:
            if ranks.hear() is Order.STEP:
                session.make_step(next(batches))
            else:
                session.score_epoch()
                session.progress.epoch += 1
                if session.teacher is not None:
                    session.teacher.flush()
                session.model.train()
                batches = session.epoch()
    finally:
        session.close()


def _sentence(error: Exception, rank: int) -> str:
    if (mistake := user_error(error)) is not None:
        return str(mistake)
    if is_out_of_memory(error):
        larger = "start again with a larger compute.gradient_accumulation_steps"
        return f"Out of memory: there was not enough for rank {rank}; {larger}."
    return f"Rank {rank} failed because of a bug in DeiT Lab ({type(error).__name__}: {error})."


def main() -> None:
    spin_briefly()
    meeting = Meeting()
    task = meeting.take(1)
    if task is not None:
        take(meeting, 1, task, Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])))


if __name__ == "__main__":
    main()
