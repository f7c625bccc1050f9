"""The rollout: heads fused, links discarded, layers multiplied. Knows attention weights; no models and no pictures."""
