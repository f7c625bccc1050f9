"""Files in the folder of a run that grow or are read apart from its weights: the curve, and the predictions."""
