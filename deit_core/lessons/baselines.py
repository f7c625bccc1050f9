"""The names of the two baselines that maps are compared with: they know nothing of what was learned. Loads no torch."""

UNTRAINED = "Rollout, untrained model"
BRIGHTNESS = "Brightness alone"
