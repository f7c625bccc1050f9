"""The Distillation lab."""
