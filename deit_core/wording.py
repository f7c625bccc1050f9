"""Numbers and progress in words."""

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


def counted(number: int, what: str) -> str:
    """A number of things, by their singular: 1 image, 2,000 images."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def p_value(probability: float) -> str:
    """How likely chance alone is: p = 0.012, p < 0.0001."""
    return "p < 0.0001" if probability < 1e-4 else f"p = {probability:.2g}"


def reading(progress: Reading) -> str:
    """The progress of a reading, as a sentence."""
    if progress.done == progress.total:
        return f"{progress.what}: done."
    return f"{progress.what}: {progress.done:,} of {progress.total:,}, about {duration(progress.time_left_s)} left."


def computing(started: RunStarted) -> str:
    """How a run computes, in sentences: the device, the plan, and the source of its teacher's logits."""
    threads = counted(started.num_threads, "thread")
    sentences = [f"Computes on {started.device} with {threads}: {started.plan}."]
    if started.streamed:
        sentences.append("Images are read from their files in every epoch, because they do not fit into memory.")
    if started.teacher_logits:
        sentences.append(started.teacher_logits)
    return " ".join(sentences)
