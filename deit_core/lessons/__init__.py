"""What the lessons measure: on patches, on models and on their maps. Knows tensors; no pages, runs or texts."""
