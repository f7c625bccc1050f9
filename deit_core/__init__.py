"""DeiT Lab's core: models, distillation, training, runs and attention, without a page in sight.

Importing this package loads nothing heavy. Each subpackage re-exports its public names.
"""
