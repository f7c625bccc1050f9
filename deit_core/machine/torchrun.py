"""What torchrun says to the processes that it starts, in their environment. Loads no torch."""

import os
import socket

import psutil


def is_by_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """The number of this process among all that torchrun has started; 0 without torchrun."""
    return int(os.environ["RANK"]) if is_by_torchrun() else 0


def world() -> int:
    """How many processes torchrun has started; 1 without torchrun."""
    return int(os.environ["WORLD_SIZE"]) if is_by_torchrun() else 1


def world_here() -> int:
    """How many of them are on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if is_by_torchrun() else 1


def num_restarts() -> int:
    """How often torchrun has started its processes again; 0 without torchrun."""
    return int(os.environ["TORCHELASTIC_RESTART_COUNT"]) if is_by_torchrun() else 0


def name_of_launch() -> str:
    """The same in all processes that one torchrun starts on this machine, also after it has started them again."""
    agent = psutil.Process(os.getppid())
    return f"torchrun {socket.gethostname()} {agent.pid} {agent.create_time()}"
