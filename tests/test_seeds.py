from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from tricklab.seeds import Seeds, aside, hash_integer


def test_streams_depend_on_everything_that_names_them() -> None:
    values = {
        Seeds(s, b).integer(p, k) for s in range(3) for b in range(3) for p in ("order", "init") for k in (0, "0")
    }
    assert len(values) == 3 * 3 * 2 * 2


def test_hash_is_pinned() -> None:
    assert hash_integer(0, 1, "order") == hash_integer(0, 1, "order")
    assert hash_integer(0, 1, "order") != hash_integer(0, 1, "orde", "r")
    assert 0 <= hash_integer("x") < 2**63


def test_uniforms_are_uniform_and_uncorrelated() -> None:
    drawn = Seeds(0, 0).uniforms("flip", 3, np.arange(50_000), 3)
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.02


def test_an_item_draws_the_same_in_any_batch() -> None:
    seeds = Seeds(4, 2)
    whole = seeds.uniforms("noise", 1, np.arange(100), 5)
    np.testing.assert_array_equal(seeds.uniforms("noise", 1, np.array([77, 3]), 5), whole[[77, 3]])
    repeated = seeds.uniforms("noise", 1, np.array([3, 3]), 5, occurrence=np.array([0, 1]))
    np.testing.assert_array_equal(repeated[0], whole[3])
    assert not np.allclose(repeated[0], repeated[1])


def test_aside_leaves_the_shared_stream_untouched() -> None:
    seeds = Seeds(0, 5)
    with seeds.initialising():
        first, last = torch.rand(3), torch.rand(3)
    with seeds.initialising():
        first_with = torch.rand(3)
        with aside("conv2d.SE"):
            added = torch.rand(3)
        last_with = torch.rand(3)
    assert torch.equal(first, first_with)
    assert torch.equal(last, last_with)
    assert not torch.equal(added, last)


def test_initialising_leaves_the_outer_generator_untouched() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with Seeds(0, 0).initialising():
        torch.rand(10)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("block", [0, 1])
def test_generators_repeat(block: int) -> None:
    seeds = Seeds(0, block)
    np.testing.assert_array_equal(seeds.numpy("split").random(4), seeds.numpy("split").random(4))
    assert torch.equal(torch.rand(4, generator=seeds.torch("x")), torch.rand(4, generator=seeds.torch("x")))
