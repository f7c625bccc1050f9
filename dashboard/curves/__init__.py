"""The curves of runs, shared by the pages that show them: which charts there are, their figures, and the panel."""
