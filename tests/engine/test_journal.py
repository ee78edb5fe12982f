from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable
from tricklab.engine.clock import RunClock
from tricklab.engine.journal import MOST_PENDING, Journal, NonFinite
from tricklab.observe import Listener, listening, observe
from tricklab.records import RunFolder

CLOCK = RunClock(samples_per_epoch=10, batch_size=4, accumulate=1, total_steps=6)


def journal(run: RunFolder, listener: Listener | None = None, **options: Any) -> Journal:
    return Journal(run, CLOCK, listener or Listener(), torch.device("cpu"), **options)


def losses(total: float, **terms: float) -> dict[str, torch.Tensor]:
    return {**{f"loss/{name}": torch.tensor(v) for name, v in terms.items()}, "loss": torch.tensor(total)}


def test_means_are_weighted_by_samples_and_restart_with_the_epoch(make_run: MakeRun) -> None:
    book = journal(make_run())
    for step, (value, samples, epoch) in enumerate([(1.0, 4, 0), (2.0, 4, 0), (8.0, 2, 0), (5.0, 4, 1)], start=1):
        book.keep(step, 0, epoch, samples, losses(value))
        if step == 1:
            assert book.training_row(1, 0.1, None)["loss_mean"] == 1.0
        if step == 3:
            row = book.training_row(3, 0.1, 2.5)
            assert row["loss"] == pytest.approx((2 * 4 + 8 * 2) / 6)
            assert row["loss_mean"] == pytest.approx((1 * 4 + 2 * 4 + 8 * 2) / 10)
            assert row["grad_norm"] == 2.5
            assert (row["epoch"], row["samples_seen"]) == (1.0, 10)
    assert book.training_row(4, 0.1, None)["loss_mean"] == 5.0


def test_every_row_carries_what_was_promised(make_run: MakeRun) -> None:
    with listening() as listener:
        book = journal(make_run(), listener)
        book.begin(0)
        observe("gate", torch.tensor([0.25, 0.75]))
        book.keep(1, 0, 0, 4, losses(3.0, CE=1.0, Dice=2.0))
        book.time(0.1, 0.5)
        row = book.training_row(1, 1e-3, 0.7)
    assert row["lr"] == 1e-3
    assert (row["time"], row["data_time"]) == (0.5, 0.1)
    assert row["memory_mb"] > 1
    assert row["eta_s"] > 0
    assert (row["loss/CE"], row["loss/Dice"], row["loss"]) == (1.0, 2.0, 3.0)
    assert {"loss/CE_mean", "loss/Dice_mean", "loss_mean"} <= row.keys()
    assert (row["observe/gate"], row["observe/gate/min"], row["observe/gate/max"]) == (0.5, 0.25, 0.75)
    assert "clipped" not in row


def test_non_finite_names_the_term_and_the_batch(make_run: MakeRun) -> None:
    book = journal(make_run())
    with pytest.raises(NonFinite, match=r"loss/Dice is nan at step 3 \(epoch 1, micro-batch 2\)"):
        book.keep(3, 2, 1, 4, losses(float("nan"), CE=1.0, Dice=float("nan")))


def test_restored_journal_writes_the_same_rows(make_run: MakeRun) -> None:
    def play(book: Journal, steps: range) -> None:
        for step in steps:
            book.listener.take("gate", 1, 0.1 * step, 0.1 * step, 0.1 * step)
            book.keep(step, step % 3, step // 4, 4, losses(1.0 / step))
            book.clip(torch.tensor(float(step % 2)))
            if step % 4 == 0:
                book.training_row(step, 0.1, None)

    whole = journal(make_run("whole"))
    play(whole, range(1, 9))
    first = journal(make_run("parts"))
    play(first, range(1, 7))
    state = first.state_dict()
    second = journal(make_run("parts"), Listener())
    second.load_state_dict(state)
    play(second, range(7, 9))
    assert comparable(second.rows) == comparable(whole.rows)
    assert "clipped" in whole.rows[0]
    assert second.wall_s >= state["wall_s"]


def test_sinks_get_rows_as_they_read_back(make_run: MakeRun) -> None:
    seen: list[dict[str, Any]] = []
    run = make_run()
    book = journal(run, sinks=[seen.append])
    book.keep(1, 0, 0, 4, losses(1.0))
    book.training_row(1, 0.1, None)
    assert seen == run.metrics()


class WithoutFloat64(torch.Tensor):
    """A tensor of a device that has no float64, such as Apple's."""

    def double(self) -> torch.Tensor:
        raise TypeError("no float64 here")

    def cpu(self) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_losses_of_a_device_without_float64_are_read(make_run: MakeRun) -> None:
    book = Journal(make_run(), CLOCK, Listener(), torch.device("mps"))
    book.keep(1, 0, 0, 4, {"loss": torch.tensor(1.5).as_subclass(WithoutFloat64)})
    assert book.training_row(1, 0.1, None)["loss"] == 1.5


def test_losses_on_a_device_are_looked_at_now_and_then_without_rows(make_run: MakeRun) -> None:
    book = Journal(make_run(), CLOCK, Listener(), torch.device("cuda"))
    for step in range(1, MOST_PENDING):
        book.keep(step, 0, 0, 4, losses(float("nan") if step == 2 else 1.0))
    with pytest.raises(NonFinite, match="at step 2 "):
        book.keep(MOST_PENDING, 0, 0, 4, losses(1.0))
