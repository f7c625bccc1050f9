"""What a worker does that a cluster has started: it trains what is ready until nothing is.

Knows settings and the queue; not whose task or job it is (see engines/ray.py, engines/slurm.py).
"""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from deit_core.runs import queue
from deit_core.runs.run_log import all_output, log
from deit_core.runs.store import open_store
from deit_core.runs.wants import Takes
from deit_core.runs.worker import Mode, Worker
from deit_core.settings import Settings

if TYPE_CHECKING:
    from deit_core.training.rank_processes import RankProcesses


def train_ready(
    settings: Settings,
    worker_id: str,
    *,
    node_id: str,
    takes: Takes,
    num_threads: int,
    processes: "RankProcesses | None" = None,
    on_begin: Callable[[Worker], object] = lambda _: None,
) -> None:
    """Work as this process.

    Args: as `queue.register` and `Worker` take them; on_begin: is given the worker.
    Raises: StoreError where the store cannot be read or written.
    """
    log.setLevel(logging.INFO)
    os.environ.update(settings.environment())  # for the processes that a training starts
    store = open_store(settings.store_url, create=False)
    entry = queue.register(store, None, worker_id, node_id=node_id, takes=takes)
    assert entry is not None, "a worker of a cluster needs no slot"
    worker = Worker(
        store, settings, *entry, mode=Mode.CLUSTER, log=all_output, num_threads=num_threads, processes=processes
    )
    on_begin(worker)
    worker.work()
