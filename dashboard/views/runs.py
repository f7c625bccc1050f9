"""."""


def render() -> None:
    ...
