"""Numbers as people say them."""

from deit_core.events import Reading, RunStarted


def duration(seconds: float) -> str:
    """A time: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def reading(progress: Reading) -> str:
    """How far a reading is, as a sentence."""
    if progress.done == progress.total:
        return f"{progress.what}: done."
    return f"{progress.what}: {progress.done:,} of {progress.total:,}, about {duration(progress.time_left_s)} left."


def computing(started: RunStarted) -> str:
    """How a run computes, in sentences: where, in which manner, and where its teacher's logits are from."""
    threads = f"{started.num_threads} thread{'s' if started.num_threads != 1 else ''}"
    sentences = [f"Computes on {started.device} with {threads}: {started.plan}."]
    if started.streamed:
        sentences.append("Images are read from their files in every epoch, since they are too many for the memory.")
    if started.teacher_logits:
        sentences.append(started.teacher_logits)
    return " ".join(sentences)
