"""The doctor: looks at an installation and says what is wrong with it, and what to do. Loads torch only to check it.

Each fact is a `Finding`. Nothing is changed; like every command, it brings a store of an older version to this one.
"""

from deit_core.doctor.examination import examine
from deit_core.doctor.finding import Finding

__all__ = ["Finding", "examine"]
