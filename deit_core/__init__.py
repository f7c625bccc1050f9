"""DeiT Lab's core: models, distillation, training, runs and attention, without any page.

Importing this package loads nothing heavy. Each subpackage re-exports its public names.
"""
