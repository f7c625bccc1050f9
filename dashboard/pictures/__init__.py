"""What pages share that show pictures to models: which picture, which weights, what a model makes of it, its map."""
