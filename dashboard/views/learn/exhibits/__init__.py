"""What each lesson shows: figures of the learner's own models, and the numbers that answer the guess."""
