"""What finished runs teach."""

from deit_core.analysis.comparison import Difference, Mismatch, chance_margin, differences, mismatches

__all__ = ["Difference", "Mismatch", "chance_margin", "differences", "mismatches"]
