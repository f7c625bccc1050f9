"""The pages. Knows people, widgets and charts; no tensors and no SQL."""
