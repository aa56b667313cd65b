import os
import signal

import pytest

from balanced_gan.training.interrupt import finish_batch_on_interrupt


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_that_end_a_process_finish_the_batch(name):
    number = getattr(signal, name)
    outside = signal.signal(number, signal.SIG_DFL)  # these tests may run under nohup themselves
    terminal = [os.dup(1), os.dup(2)]
    asked = []
    try:
        with finish_batch_on_interrupt(lambda: asked.append(number)):
            os.kill(os.getpid(), number)
            assert asked == [number]
            assert signal.getsignal(number) == signal.SIG_DFL  # a second one ends it at once
    finally:
        for descriptor, saved in zip((1, 2), terminal, strict=True):
            os.dup2(saved, descriptor)  # which SIGHUP takes away
            os.close(saved)
        restored = signal.signal(number, outside)
    assert restored == signal.SIG_DFL


def test_ctrl_c_while_the_terminal_is_held_is_not_lost(monkeypatch):
    class Held:
        def write(self, text):
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr("sys.stderr", Held())
    asked = []
    with finish_batch_on_interrupt(lambda: asked.append("once")):
        signal.raise_signal(signal.SIGINT)
    assert asked == ["once"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_what_nohup_switched_off_stays_off():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with finish_batch_on_interrupt(lambda: None):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_while_handlers_are_being_installed_is_not_lost(monkeypatch):
    asked = []
    install = signal.signal

    def install_and_interrupt(number, handler):
        before = install(number, handler)
        if number == signal.SIGINT and not asked:
            signal.raise_signal(signal.SIGINT)
        return before

    outside = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "signal", install_and_interrupt)
    with finish_batch_on_interrupt(lambda: asked.append("once")):
        assert asked == ["once"]
    assert signal.getsignal(signal.SIGTERM) == outside
