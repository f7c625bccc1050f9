"""Measurements side by side in one run, one file a question. `python -m benchmarks` runs them all."""
