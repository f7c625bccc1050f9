"""Comparisons of finished runs."""

from deit_core.analysis.comparison import Difference, Mismatch, chance_margin, differences, mismatches
from deit_core.analysis.seeds import Pairing, Sample, distillation_pairings, sampling_sd, seed_groups

__all__ = [
    "Difference",
    "Mismatch",
    "Pairing",
    "Sample",
    "chance_margin",
    "differences",
    "distillation_pairings",
    "mismatches",
    "sampling_sd",
    "seed_groups",
]
