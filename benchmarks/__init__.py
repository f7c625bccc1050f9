"""Measurements side by side in one run, one file a question. `python -m benchmarks` runs them all."""

from deit_core.machine.threads import spin_briefly

spin_briefly()  # as a worker does, before torch is loaded
