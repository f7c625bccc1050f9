"""A command that is asked to end is told so once; the second time it ends at once."""

import os
import signal
import sys

import pytest

from deit_core.cli.ending import until_asked_to_end


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_interrupts(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with until_asked_to_end("It ends soon.") as asked:
        assert not asked.is_set()
        os.kill(os.getpid(), number)
        assert asked.wait(0)
        assert capsys.readouterr().err == "It ends soon.\n"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
