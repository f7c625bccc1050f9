"""A page on what experiments gave, made wholly of the store and the folders of runs."""

from deit_core.results.report import write_report

__all__ = ["write_report"]
