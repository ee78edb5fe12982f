from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricklab.engine.clock import Every, RunClock, run_clock
from tricklab.errors import UserError


def section(**changes: object) -> dict[str, object]:
    return {"epochs": None, "iterations": None, "samples": None, "batch_size": 8, "accumulate": 1, **changes}


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 5), st.integers(1, 40))
def test_arithmetic_equals_counting(samples: int, batch_size: int, accumulate: int, steps: int) -> None:
    clock = RunClock(samples, batch_size, accumulate, steps)
    seen = batches = step = 0
    while step < steps:
        for start in range(0, samples, batch_size):
            seen += min(batch_size, samples - start)
            batches += 1
            last = start + batch_size >= samples
            if (start // batch_size + 1) % accumulate == 0 or last:
                step += 1
                assert clock.samples_at(step) == seen
                assert clock.batches_at(step) == batches
                place = (batches // clock.batches_per_epoch, batches % clock.batches_per_epoch)
                assert clock.place_at(step) == place
                assert (clock.epoch_at(step) == round(clock.epoch_at(step))) == last


@pytest.mark.parametrize(
    ("length", "steps"),
    [({"epochs": 3}, 9), ({"iterations": 7}, 7), ({"samples": 20}, 3), ({"samples": 21}, 4), ({"samples": 40}, 6)],
)
def test_length_in_every_unit(length: dict[str, int], steps: int) -> None:
    # 20 samples, batches of 8: three steps an epoch, the last one of 4 samples
    assert run_clock(section(**length), 20).total_steps == steps


@pytest.mark.parametrize("length", [{}, {"epochs": 1, "samples": 9}, {"epochs": 0}])
def test_length_must_be_given_once(length: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"train"):
        run_clock(section(**length), 20)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(UserError, match="no training samples"):
        run_clock(section(epochs=1), 0)


def test_iteration_counted_protocol_validates_across_epochs() -> None:
    clock = run_clock(section(iterations=80_000, batch_size=8), 5_000)
    every = Every.read({"iterations": 8_000}, "train.validate_every")
    due = [step for step in range(1, 80_001) if every.due(step, clock)]
    assert due == list(range(8_000, 80_001, 8_000))
    assert clock.steps_per_epoch == 625
    assert clock.epoch_at(8_000) == 12.8


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ({"epochs": 1}, [3, 6, 9, 10]),
        ({"epochs": 2}, [6, 10]),
        ({"iterations": 4}, [4, 8, 10]),
        ({"samples": 16}, [2, 5, 7, 10]),
        (None, [10]),
    ],
)
def test_due_in_every_unit_and_at_the_end(every: dict[str, int] | None, expected: list[int]) -> None:
    clock = RunClock(samples_per_epoch=20, batch_size=8, accumulate=1, total_steps=10)
    asked = Every.read(every, "train.log_every")
    assert [step for step in range(1, 11) if asked.due(step, clock)] == expected


@pytest.mark.parametrize("every", [{}, {"epochs": 1, "samples": 2}, {"steps": 3}, {"epochs": 0}])
def test_bad_interval_is_refused_with_its_place(every: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"train\.log_every"):
        Every.read(every, "train.log_every")
