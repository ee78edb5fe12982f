from __future__ import annotations

import os
import signal
import threading

import pytest

from tricklab.engine.interruption import Interrupted, Interruption


def send(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def test_raises_at_once_and_restores_handlers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        with pytest.raises(Interrupted) as caught:
            send()
        assert caught.value.number == signal.SIGTERM
        assert interruption.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_no_exception_class_of_ours_swallows_it() -> None:
    assert not issubclass(Interrupted, Exception)


def test_deferred_only_remembers_the_first() -> None:
    with Interruption() as interruption, interruption.deferred():
        send(signal.SIGINT)
        assert interruption.number == signal.SIGINT
        with pytest.raises(Interrupted):
            interruption.check()
        with pytest.raises(Interrupted):
            send(signal.SIGINT)


def test_immediate_inside_deferred() -> None:
    with Interruption() as interruption, interruption.deferred():
        with pytest.raises(Interrupted), interruption.immediate():
            send()
        assert interruption._deferring


def test_immediate_raises_for_what_came_before() -> None:
    with Interruption() as interruption, interruption.deferred():
        send()
        with pytest.raises(Interrupted), interruption.immediate():
            pytest.fail("the block must not begin")


def test_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    inside: list[object] = []

    def work() -> None:
        with Interruption() as interruption:
            inside.append(signal.getsignal(signal.SIGTERM))
            interruption.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
