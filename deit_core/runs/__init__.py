"""Runs in the background: the store, the queue, and workers that outlive the page. Loads no torch."""

from deit_core.runs.curves import Curves
from deit_core.runs.demo_runs import RunReader, WithDemo, demo_runs
from deit_core.runs.launcher import LocalLauncher, enqueue, log_tail, submit
from deit_core.runs.queue import waiting_for, workers_here
from deit_core.runs.records import (
    Experiment,
    LifecycleEvent,
    NewPoint,
    Point,
    PointKind,
    Run,
    RunUpdate,
    Status,
    UnreadableRun,
)
from deit_core.runs.store import Store, open_store

__all__ = [
    "Curves",
    "Experiment",
    "LifecycleEvent",
    "LocalLauncher",
    "NewPoint",
    "Point",
    "PointKind",
    "Run",
    "RunReader",
    "RunUpdate",
    "Status",
    "Store",
    "UnreadableRun",
    "WithDemo",
    "demo_runs",
    "enqueue",
    "log_tail",
    "open_store",
    "submit",
    "waiting_for",
    "workers_here",
]
