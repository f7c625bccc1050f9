"""Verdicts on pairs of runs, shared by the pages that show them."""
