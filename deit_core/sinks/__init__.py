"""What a run measures also goes to other people's tools. Nothing that happens there ends a training."""

from deit_core.sinks.every_sink import Sinks

__all__ = ["Sinks"]
