"""Comparisons of finished runs."""

from deit_core.analysis.comparison import Difference, Mismatch, chance_margin, differences, mismatches
from deit_core.analysis.lead import ClosedShare, closed_share
from deit_core.analysis.seeds import (
    Pairing,
    Sample,
    best_pairings,
    distillation_pairings,
    sampling_sd,
    seed_groups,
)

__all__ = [
    "ClosedShare",
    "Difference",
    "Mismatch",
    "Pairing",
    "Sample",
    "best_pairings",
    "chance_margin",
    "closed_share",
    "differences",
    "distillation_pairings",
    "mismatches",
    "sampling_sd",
    "seed_groups",
]
