"""Weights from other libraries: their file formats, configs and names. Knows models; nothing of our checkpoints."""
