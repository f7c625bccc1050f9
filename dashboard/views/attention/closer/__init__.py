"""The closer looks at one model on the Attention page, one file for each."""
