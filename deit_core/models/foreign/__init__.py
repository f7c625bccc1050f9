"""Other people's files of weights: their formats, configs and names. Knows models; nothing of our checkpoints."""
