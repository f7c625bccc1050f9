"""The pages. Knows users, widgets and charts; no tensors and no SQL."""
