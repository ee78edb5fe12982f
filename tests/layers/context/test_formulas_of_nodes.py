"""Blocks that gather pixels into few nodes, held against their papers' formulas in loops, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.layers.context.plain import (
    Array,
    as_map,
    assert_agrees,
    columns_of,
    conv,
    conv_norm_relu,
    lively,
    norm,
    pair,
    pooled,
    relu,
    sigmoid,
    softmax,
    unit,
)  # fmt: skip

REASONS = pytest.mark.parametrize("reason", ["graph", "identity"])


def test_double_attention() -> None:
    block, w = lively("A2")

    def formula(x: Array) -> Array:
        a, b, v = (columns_of(conv(w, name, x)) for name in ("phi", "theta", "rho"))
        # over space for each descriptor, then over descriptors for each position
        gathered = [softmax(b[:, k]) @ a for k in range(4)]
        found = np.stack([sum(s * g for s, g in zip(softmax(taken), gathered, strict=True)) for taken in v])
        return x + norm(w, "bn", conv(w, "extend", as_map(found, x)))

    assert_agrees(block, formula)


@pytest.mark.parametrize("normalize", [True, False])
@REASONS
def test_global_reasoning(reason: str, normalize: bool) -> None:
    block, w = lively("GloRe", num_mid=3, reason=reason, normalize=normalize)

    def formula(x: Array) -> Array:
        states, shares = columns_of(conv(w, "conv_state", x)), columns_of(conv(w, "conv_proj", x))
        nodes = np.zeros((3, 6))
        for state, share in zip(states, shares, strict=True):
            nodes += np.outer(share, state)
        if normalize:
            nodes /= len(states)
        if reason == "graph":
            mixed = w["gcn.conv1.weight"][:, :, 0] @ nodes + w["gcn.conv1.bias"][:, None]
            nodes = relu(nodes + mixed) @ w["gcn.conv2.weight"][:, :, 0].T
        return x + norm(w, "blocker", conv(w, "conv_extend", as_map(shares @ nodes, x)), eps=1e-4)

    assert_agrees(block, formula)


@REASONS
def test_graphs_beyond_grids(reason: str) -> None:
    block, w = lively("GCU", nodes=[2, 3], reason=reason)

    def unit_of_graph(number: int, pixels: Array) -> Array:
        centres, spread = w[f"units.{number}.weight"], sigmoid(w[f"units.{number}.sigma"])
        shares, nodes = np.zeros((len(pixels), len(centres))), np.zeros_like(centres)
        for i, pixel in enumerate(pixels):
            shares[i] = softmax(-0.5 * (((pixel - centres) / spread) ** 2).sum(axis=1))
        for k, centre in enumerate(centres):
            offsets = [share * (pixel - centre) / spread[k] for share, pixel in zip(shares[:, k], pixels, strict=True)]
            nodes[k] = unit(sum(offsets) / shares[:, k].sum())
        if reason == "graph":
            nodes = relu(nodes @ nodes.T @ nodes @ w[f"units.{number}.graph.weight"].T)
        return shares @ nodes

    def formula(x: Array) -> Array:
        pixels = columns_of(conv_norm_relu(w, "narrow", x))
        found = np.concatenate([unit_of_graph(number, pixels) for number in range(2)], axis=1)
        return x + norm(w, "bn", conv(w, "extend", as_map(found, x)))

    assert_agrees(block, formula)


@pytest.mark.parametrize("mode", ["asymmetric", "symmetric"])
@REASONS
def test_latent_graph(mode: str, reason: str) -> None:
    block, w = lively("LatentGNN", latent_dims=[2, 3], channel_stride=4, mode=mode, reason=reason)

    def units(x: Array) -> Array:
        return as_map(np.stack([unit(pixel) for pixel in columns_of(x)]), x)

    def kernel(number: int, to_latent: Array, to_visible: Array) -> Array:
        def maps(name: str, x: Array) -> Array:
            return columns_of(relu(pair(w, f"LatentGNN_Kernel_{number}.{name}", x)))

        if mode == "asymmetric":
            gather = np.stack([unit(column) for column in maps("psi_v2l", to_latent).T], axis=1)
            spread = np.stack([unit(row) for row in maps("psi_l2v", to_visible)])
        else:
            gather = spread = np.stack([unit(row) for row in maps("psi", to_latent)])
        nodes = sum(np.outer(share, pixel) for share, pixel in zip(gather, columns_of(to_latent), strict=True))
        if reason == "graph":
            cosines = [[unit(one) @ unit(other) for other in nodes] for one in nodes]
            nodes = np.stack([softmax(np.array(row)) @ nodes for row in cosines])
        return spread @ nodes

    def formula(x: Array) -> Array:
        names = ("down_channel_v2l", "down_channel_l2v") if mode == "asymmetric" else ("down_channel",) * 2
        to_latent, to_visible = (units(pair(w, name, x)) for name in names)
        found = np.concatenate([kernel(number, to_latent, to_visible) for number in range(2)], axis=1)
        return x + w["gamma"] * pair(w, "up_channel", as_map(found, x))

    assert_agrees(block, formula)


@pytest.mark.parametrize("compatibility", ["dot", "concat"])
@REASONS
def test_symbols(reason: str, compatibility: str) -> None:
    edges, words = [(0, 2)], [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]
    graph = {"edges": edges, "words": words} if reason == "graph" else {}
    block, w = lively("SGR", symbols=3, compatibility=compatibility, reason=reason, **graph)

    def formula(x: Array) -> Array:
        features, votes = columns_of(conv(w, "embed", x)), columns_of(conv(w, "vote", x))
        shares = np.stack([softmax(vote) for vote in votes])
        symbols = np.stack([shares[:, k] @ features / shares[:, k].sum() for k in range(3)])
        if reason == "graph":
            # 0 and 2 have two neighbours each, counting themselves
            related = np.array([[1 / 2, 0, 1 / 2], [0, 1, 0], [1 / 2, 0, 1 / 2]])
            symbols = relu(related @ np.concatenate([symbols, words], axis=1) @ w["convolution.weight"].T)
        found = []
        for pixel in columns_of(x):
            if compatibility == "dot":
                query = w["query.weight"][:, :, 0, 0] @ pixel
                fits = np.array([(w["key.weight"] @ symbol) @ query for symbol in symbols]) / np.sqrt(4)
            else:
                fits = np.array([(w["fit.weight"] @ np.concatenate([symbol, pixel]))[0] for symbol in symbols])
            found.append(softmax(fits) @ symbols)
        return x + relu(conv(w, "extend", as_map(np.stack(found), x)))

    assert_agrees(block, formula)


@pytest.mark.parametrize("trains", [True, False])
def test_expectation_maximisation(trains: bool) -> None:
    block, w = lively("EMAttention", num_bases=3, train_projection=trains)

    def formula(x: Array) -> Array:
        pixels, bases = columns_of(conv(w, "conv1", x)), w["mu"][0].T

        def expectation() -> Array:
            return np.stack([softmax(np.array([base @ pixel for base in bases])) for pixel in pixels])

        for _ in range(3):
            shares = expectation()
            means = [shares[:, k] @ pixels / (1e-6 + shares[:, k].sum()) for k in range(3)]
            bases = np.stack([mean / (1e-6 + np.sqrt((mean**2).sum())) for mean in means])
        if trains:
            shares = expectation()
        return relu(x + pair(w, "conv2", relu(as_map(shares @ bases, x))))

    assert_agrees(block, formula)


@pytest.mark.parametrize("fusion", [True, False])
def test_adaptive_pyramid(fusion: bool) -> None:
    block, w = lively("APCNet", pool_scales=[1, 3], fusion=fusion)

    def scale(x: Array, number: int, side: int) -> Array:
        name = f"acm_modules.{number}"
        regions = columns_of(conv_norm_relu(w, f"{name}.pooled_redu_conv", pooled(x, side, side)))
        narrow = conv_norm_relu(w, f"{name}.input_redu_conv", x)
        everywhere = conv_norm_relu(w, f"{name}.global_info", pooled(narrow, 1, 1))
        shares = sigmoid(columns_of(conv(w, f"{name}.gla", narrow + everywhere)))
        found = relu(conv_norm_relu(w, f"{name}.residual_conv", as_map(shares @ regions, x)) + narrow)
        return conv_norm_relu(w, f"{name}.fusion_conv", found) if fusion else found

    def formula(x: Array) -> Array:
        return conv_norm_relu(w, "bottleneck", np.concatenate([x, scale(x, 0, 1), scale(x, 1, 3)]))

    assert_agrees(block, formula)
