"""Mistakes that implementations of these blocks make or invite, one test each."""

from __future__ import annotations

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from tests.layers.context.test_contract import awake, build


def test_criss_cross_counts_the_centre_once_and_softens_row_and_column_together() -> None:
    block, x = awake("CCNet").double(), torch.randn(1, 16, 4, 5, dtype=torch.float64)
    q, k, v = (conv(x)[0] for conv in (block.query_conv, block.key_conv, block.value_conv))
    found = block.attended(x)[0]
    for row in range(4):
        for column in range(5):
            seen = [(row, j) for j in range(5)] + [(i, column) for i in range(4) if i != row]
            energy = torch.stack([q[:, row, column] @ k[:, i, j] for i, j in seen]).softmax(dim=0)
            expected = sum(weight * v[:, i, j] for weight, (i, j) in zip(energy, seen, strict=True))
            torch.testing.assert_close(found[:, row, column], expected)


@pytest.mark.parametrize(("passes", "reached"), [(1, False), (2, True)])
def test_two_passes_of_criss_cross_reach_every_position(passes: int, reached: bool) -> None:
    block = build("CCNet", recurrence=passes)
    torch.nn.init.ones_(block.gamma)
    x = torch.randn(1, 16, 4, 4, requires_grad=True)
    (seen,) = torch.autograd.grad(block(x)[0, :, 0, 0].sum(), x)
    assert bool(seen[0, :, 3, 2].any()) == reached


def test_position_attention_is_not_scaled_and_channel_attention_is_inverted() -> None:
    x = torch.randn(1, 16, 3, 2, dtype=torch.float64)
    flat = x[0].flatten(1)
    position = awake("PositionAttention").double()
    q, k, v = (conv(x)[0].flatten(1) for conv in (position.query_conv, position.key_conv, position.value_conv))
    expected = flat + position.gamma * (v @ (q.T @ k).softmax(dim=1).T)
    torch.testing.assert_close(position(x)[0].flatten(1), expected)
    for similarity, sign in (("inverted", -1), ("plain", 1)):
        channel = build("ChannelAttention", similarity=similarity).double()
        torch.nn.init.ones_(channel.gamma)
        torch.testing.assert_close(channel(x)[0].flatten(1), flat + (sign * flat @ flat.T).softmax(dim=1) @ flat)


def test_the_two_softmaxes_of_double_attention_run_over_different_axes() -> None:
    block, x = awake("A2").double(), torch.randn(1, 16, 3, 4, dtype=torch.float64)
    a, b, v = (conv(x)[0].flatten(1) for conv in (block.phi, block.theta, block.rho))
    expected = (a @ b.softmax(dim=1).T) @ v.softmax(dim=0)
    torch.testing.assert_close(block.reconstruction(x)[0].flatten(1), expected)


def test_cgnls_attention_cancels_where_the_norm_has_its_groups_and_not_with_one() -> None:
    x = torch.randn(2, 16, 6, 6)
    for norm_groups, cancels in ((8, True), (1, False)):
        block = build("CGNL", norm_groups=norm_groups, use_scale=False).eval()
        torch.nn.init.ones_(block.gn.weight)
        before = block(x) - x
        with torch.no_grad():
            block.p.weight[:2] *= 7  # the two groups of one channel each that come first
        after = block(x) - x
        assert ((after - before).abs().max() < 0.05 * before.abs().max()) == cancels


def test_cgnls_expansion_is_that_of_the_kernel() -> None:
    """Where theta, phi and g are numbers of length one: the sum over j of exp(-gamma (t_i - p_j)²) g_j."""
    block = build("CGNL", taylor_order=3, use_scale=False, groups=1, reduction=16).double()
    x = torch.randn(1, 16, 3, 3, dtype=torch.float64)
    t, p, g = (part(x).flatten().sign() for part in (block.t, block.p, block.g))
    exact = (torch.exp(-1e-4 * (t[:, None] - p[None, :]).square()) * g).sum(dim=1)
    with torch.no_grad():
        for part, values in ((block.t, t), (block.p, p), (block.g, g)):
            part.register_forward_hook(lambda _module, _inputs, _output, values=values: values.view(1, 1, 3, 3))
        seen = []
        block.z.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].flatten()))
        block(x)
    assert exact.unique().numel() > 1
    torch.testing.assert_close(seen[0], exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("normalize", "grows"), [(False, True), (True, False)])
def test_glores_nodes_do_not_grow_with_the_image(normalize: bool, grows: bool) -> None:
    block, x = build("GloRe", normalize=normalize), torch.randn(1, 16, 4, 4)
    small, _ = block.assign(x)
    large, _ = block.assign(x.repeat(1, 1, 3, 3))
    torch.testing.assert_close(large, small * (9 if grows else 1), rtol=1e-4, atol=1e-4)


def test_a_centre_that_no_pixel_takes_is_zero_and_not_nan() -> None:
    block = build("GCU", nodes=[3], centres="random")
    with torch.no_grad():
        block.units[0].weight[1] += 1e4
    x = torch.randn(1, 16, 5, 5, requires_grad=True)
    y = block(x)
    nodes, maps = block.units[0].assign(block.narrow(x))
    assert not nodes[0, 1].any()
    assert maps.sum(dim=1).allclose(torch.ones(1, 25))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_centres_are_found_in_the_first_training_batch_once() -> None:
    block = build("GCU", nodes=[2])
    first = block.units[0].weight.detach().clone()
    block.eval()(torch.randn(2, 16, 5, 5))
    assert torch.equal(block.units[0].weight, first)
    block.train()(torch.randn(2, 16, 5, 5))
    found = block.units[0].weight.detach().clone()
    assert not torch.equal(found, first)
    block(torch.randn(2, 16, 5, 5))
    assert torch.equal(block.units[0].weight, found)
    other = build("GCU", nodes=[2])
    other.load_state_dict(block.state_dict())
    other.train()(torch.randn(2, 16, 5, 5))
    assert torch.equal(other.units[0].weight, found)


def test_k_means_finds_two_heaps() -> None:
    block = build("GCU", nodes=[2], reduction=8)
    heaps = torch.cat([torch.randn(50, 2) - 20, torch.randn(70, 2) + 20])
    block.units[0].fit_centres(heaps)
    torch.testing.assert_close(block.units[0].weight, torch.stack([heaps[:50].mean(0), heaps[50:].mean(0)]))


def test_k_means_sums_in_single_precision_under_autocast() -> None:
    block = build("GCU", nodes=[2], reduction=8)
    heaps = torch.cat([torch.full((2000, 2), 50.0), torch.full((3000, 2), 90.5)])
    with torch.autocast("cpu", dtype=torch.float16):
        block.units[0].fit_centres(heaps)
    assert block.units[0].weight.tolist() == [[50.0, 50.0], [90.5, 90.5]]


def test_concatenated_compatibility_gives_every_pixel_the_same() -> None:
    x = torch.randn(1, 16, 5, 5)
    for compatibility, same in (("concat", True), ("dot", False)):
        found = build("SGR", symbols=4, compatibility=compatibility).eval().reconstruction(x)[0].flatten(1)
        assert torch.allclose(found, found[:, :1].expand_as(found), atol=1e-6) == same


def test_em_bases_move_by_the_weight_of_the_new_ones_and_only_in_training() -> None:
    x = torch.randn(2, 16, 4, 4)
    block = build("EMAttention", num_bases=4)
    start = block.mu.clone()
    block.eval()(x)
    assert torch.equal(block.mu, start)
    still = build("EMAttention", num_bases=4, momentum=0.0).train()
    still(x)
    torch.testing.assert_close(still.mu, start, rtol=1e-4, atol=1e-5)
    block.train()(x)
    close = (block.mu * start).sum(dim=1)
    assert close.max() < 1
    assert close.min() > 0.95
    torch.testing.assert_close(block.mu.norm(dim=1), torch.ones(1, 4), rtol=1e-4, atol=1e-4)


def test_em_bases_follow_the_formula() -> None:
    x = torch.randn(2, 16, 4, 4, dtype=torch.float64)
    block = build("EMAttention", num_bases=4, momentum=0.3).double().train()
    old = block.mu.clone()
    block(x)

    def unit(vectors: torch.Tensor) -> torch.Tensor:
        return vectors / vectors.square().sum(dim=0).sqrt()

    found = []
    for pixels in (block.conv1(x)).flatten(2):
        bases = old[0]
        for _ in range(3):
            shares = (pixels.T @ bases).softmax(dim=1)
            bases = unit(pixels @ (shares / shares.sum(dim=0)))
        found.append(bases)
    expected = unit(0.7 * old[0] + 0.3 * unit(torch.stack(found).mean(dim=0)))
    torch.testing.assert_close(block.mu[0], expected, rtol=1e-5, atol=1e-5)


def test_the_frozen_projection_of_em_is_drawn_as_published() -> None:
    block = build("EMAttention", channels=64)
    for convolution in (block.conv1, block.conv2[0]):
        assert convolution.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_moves_em_bases_once_and_gives_the_same_gradient(reentrant: bool) -> None:
    x, weight = torch.randn(2, 16, 4, 4), torch.randn(2, 16, 4, 4)
    results = []
    for again in (False, True):
        block = build("EMAttention", num_bases=4, train_projection=True).train()
        inputs = x.clone().requires_grad_()
        y = checkpoint(block, inputs, use_reentrant=reentrant) if again else block(inputs)
        (y * weight).sum().backward()
        results.append((block.mu, inputs.grad, block.conv1.weight.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_the_published_em_block_trains_no_projection() -> None:
    x = torch.randn(1, 16, 4, 4, requires_grad=True)
    assert not build("EMAttention").reconstruction(x).requires_grad
    assert build("EMAttention", train_projection=True).reconstruction(x).requires_grad


@pytest.mark.parametrize("collects", [True, False])
def test_psa_reads_its_mask_by_displacement(collects: bool) -> None:
    block = build("PSA", mask_size=(3, 5), psa_type="collect").double()
    mask = torch.randn(1, 15, 4, 5, dtype=torch.float64)
    weights = block.weights(mask, collects)[0].reshape(4, 5, 4, 5)
    for i in range(4):
        for j in range(5):  # the target
            logits = {}
            for a in range(4):
                for b in range(5):
                    down, right = (a - i, b - j) if collects else (i - a, j - b)
                    if abs(down) <= 1 and abs(right) <= 2:
                        at = (i, j) if collects else (a, b)
                        logits[a, b] = mask[0, (down + 1) * 5 + right + 2, at[0], at[1]]
            taken = torch.stack(list(logits.values())).softmax(dim=0)
            assert weights[:, :, i, j].count_nonzero() == len(logits)
            for (a, b), value in zip(logits, taken, strict=True):
                torch.testing.assert_close(weights[a, b, i, j], value)


def test_psa_gives_no_weight_where_its_mask_does_not_reach() -> None:
    mask = torch.full((1, 9, 1, 6), -20.0)
    assert build("PSA", mask_size=(3, 3)).weights(mask, True)[0, 5, 0] == 0
    assert build("PSA", mask_size=(3, 3), empty="zero").weights(mask, True)[0, 5, 0] > 0.2


def test_local_relation_leaves_out_what_lies_outside() -> None:
    weights = awake("LocalRelation").weights(torch.randn(1, 16, 3, 3))
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(1, 2, 9))
    assert weights[0, 0, :, 0].count_nonzero() == 9


def test_strip_pooling_changes_neither_its_input_nor_needs_twenty_pixels() -> None:
    for name in ("SPM", "MPM"):
        x = torch.randn(1, 16, 3, 2)
        kept = x.clone()
        awake(name).train()(x)
        assert torch.equal(x, kept)


def test_object_context_adds_nothing_at_the_start_and_shares_its_embedding() -> None:
    block = build("OCNet", grids=[1, 2])
    assert not any(stage(torch.randn(1, 16, 5, 4)).any() for stage in block.stages)
    assert not [key for key in block.state_dict() if "query" in key]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_latent_node_that_no_pixel_takes_is_zero_and_not_nan(dtype: torch.dtype) -> None:
    block = awake("LatentGNN", channels=16).eval()
    for part in ("psi_v2l", "psi_l2v"):
        torch.nn.init.constant_(block.LatentGNN_Kernel_0.get_submodule(part)[1].bias, -100.0)
    with torch.autocast("cpu", dtype=torch.float16, enabled=dtype is torch.float16):
        found = block.reconstruction(torch.randn(1, 16, 5, 4))
    assert not found[:, :2].any()
    assert found[:, 2:].any()
    assert found.isfinite().all()


def test_em_iterates_in_single_precision_under_autocast() -> None:
    x, moved = 5 * torch.randn(2, 16, 6, 6), []
    for enabled in (False, True):
        block = build("EMAttention", num_bases=4, momentum=1.0).train()
        torch.nn.init.dirac_(block.conv1.weight)
        block.conv1.weight.data.round_()  # the projection keeps the input: rounding is left to the iterations
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            block(x.bfloat16().float())
        assert block.mu.dtype is torch.float32
        moved.append(block.mu)
    torch.testing.assert_close(*moved, rtol=1e-5, atol=1e-6)
