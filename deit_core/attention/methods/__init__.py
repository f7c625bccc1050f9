"""Ways to ask a model what it looks at, and checks of what they say. Knows models; nothing of how a map is drawn."""
