"""Comparisons of finished runs: of their specs, their scores, and their predictions."""

from deit_core.analysis.calibration import (
    Bin,
    best_temperature,
    calibration_error,
    negative_log_likelihood,
    reliability,
)
from deit_core.analysis.comparison import Difference, Mismatch, chance_margin, differences, mismatches
from deit_core.analysis.contradictions import Contradictions, contradictions, contradicts
from deit_core.analysis.disagreement import (
    PAPERS_DISAGREEMENT,
    TRUTH,
    DarkKnowledge,
    Inherited,
    dark_knowledge,
    disagreement,
    inherited,
    more_inherited,
    soft_labels,
)
from deit_core.analysis.lead import ClosedShare, closed_share, share_words
from deit_core.analysis.mistakes import (
    Mistake,
    RareClass,
    class_accuracies,
    confusion,
    largest_class,
    rare_classes,
    who_is_right,
    worst_mistakes,
)
from deit_core.analysis.paired import Paired, paired
from deit_core.analysis.paper_tables import PAPERS_STUDENTS, PAPERS_TABLE_2, MethodRow, table_3
from deit_core.analysis.seeds import (
    Pairing,
    Sample,
    best_pairings,
    distillation_pairings,
    sampling_sd,
    seed_groups,
)
from deit_core.analysis.variation import NOTHING, TEACHER, Axis, Point, Row, Variation, students, variation
from deit_core.analysis.verdict import Background, Verdict, judge

__all__ = [
    "NOTHING",
    "PAPERS_DISAGREEMENT",
    "PAPERS_STUDENTS",
    "PAPERS_TABLE_2",
    "TEACHER",
    "TRUTH",
    "Axis",
    "Background",
    "Bin",
    "ClosedShare",
    "Contradictions",
    "DarkKnowledge",
    "Difference",
    "Inherited",
    "MethodRow",
    "Mismatch",
    "Mistake",
    "Paired",
    "Pairing",
    "Point",
    "RareClass",
    "Row",
    "Sample",
    "Variation",
    "Verdict",
    "best_pairings",
    "best_temperature",
    "calibration_error",
    "chance_margin",
    "class_accuracies",
    "closed_share",
    "confusion",
    "contradictions",
    "contradicts",
    "dark_knowledge",
    "differences",
    "disagreement",
    "distillation_pairings",
    "inherited",
    "judge",
    "largest_class",
    "mismatches",
    "more_inherited",
    "negative_log_likelihood",
    "paired",
    "rare_classes",
    "reliability",
    "sampling_sd",
    "seed_groups",
    "share_words",
    "soft_labels",
    "students",
    "table_3",
    "variation",
    "who_is_right",
    "worst_mistakes",
]
