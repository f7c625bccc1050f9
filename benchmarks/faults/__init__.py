"""Random kills and power cuts while runs train, and whether each run then ends as one that was left alone."""
