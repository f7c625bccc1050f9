"""Where images come from: data sets and folders, how a file becomes pixels. Knows no splits, views or batches."""
