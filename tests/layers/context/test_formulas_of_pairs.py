"""Blocks that compare pairs of positions, held against their papers' formulas in loops, in float64."""

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
    leaky,
    lively,
    norm,
    pair,
    pooled,
    positions,
    relu,
    resized,
    softmax,
)  # fmt: skip


@pytest.mark.parametrize("norm_at_end", [False, True])
@pytest.mark.parametrize("mode", ["gaussian", "embedded_gaussian", "dot_product", "concatenation"])
@pytest.mark.parametrize("scaled", [True, False])
def test_non_local(mode: str, scaled: bool, norm_at_end: bool) -> None:
    block, w = lively("NonLocal", mode=mode, norm=norm_at_end, use_scale=scaled)

    def formula(x: Array) -> Array:
        values = columns_of(conv(w, "g.conv", x))
        raw = columns_of(x)
        queries = raw if mode == "gaussian" else columns_of(conv(w, "theta.conv", x))
        keys = raw if mode == "gaussian" else columns_of(conv(w, "phi.conv", x))
        found = np.zeros_like(values)
        for i in range(len(raw)):
            energy = np.array([queries[i] @ key for key in keys])
            if mode == "embedded_gaussian" and scaled:
                energy /= np.sqrt(8)
            if mode == "concatenation":
                weight = w["concat_project.conv.weight"][0, :, 0, 0]
                energy = relu(np.array([weight @ np.concatenate([queries[i], key]) for key in keys]))
            shares = softmax(energy) if "gaussian" in mode else energy / len(keys)
            found[i] = sum(share * value for share, value in zip(shares, values, strict=True))
        y = conv(w, "conv_out.conv", as_map(found, x))
        return x + (norm(w, "conv_out.bn", y) if norm_at_end else y)

    assert_agrees(block, formula)


def test_non_local_of_maxima() -> None:
    block, w = lively("NonLocal", sub_sample=True)

    def maxima(x: Array) -> Array:
        rows, columns = range(0, x.shape[1], 2), range(0, x.shape[2], 2)
        return np.stack([x[:, i : i + 2, j : j + 2].max(axis=(1, 2)) for i in rows for j in columns])

    def formula(x: Array) -> Array:
        values, keys = maxima(conv(w, "g.0.conv", x)), maxima(conv(w, "phi.0.conv", x))
        found = [softmax(keys @ query / np.sqrt(8)) @ values for query in columns_of(conv(w, "theta.conv", x))]
        return x + conv(w, "conv_out.conv", as_map(np.stack(found), x))

    assert_agrees(block, formula)


def test_criss_cross_twice() -> None:
    block, w = lively("CCNet")

    def once(x: Array) -> Array:
        q, k, v = (conv(w, f"{name}_conv", x) for name in ("query", "key", "value"))
        found = np.zeros_like(x)
        for row, column in positions(x):
            seen = {(row, j) for j in range(x.shape[2])} | {(i, column) for i in range(x.shape[1])}
            shares = softmax(np.array([q[:, row, column] @ k[:, i, j] for i, j in sorted(seen)]))
            for share, (i, j) in zip(shares, sorted(seen), strict=True):
                found[:, row, column] += share * v[:, i, j]
        return x + w["gamma"] * found

    assert_agrees(block, lambda x: once(once(x)))


@pytest.mark.parametrize("similarity", ["inverted", "plain"])
def test_both_attentions_of_danet(similarity: str) -> None:
    block, w = lively("DANet", similarity=similarity)

    def formula(x: Array) -> Array:
        q, k, v = (columns_of(conv(w, f"pam.{name}_conv", x)) for name in ("query", "key", "value"))
        of_positions = as_map(np.stack([softmax(k @ query) @ v for query in q]), x)
        of_channels = np.zeros_like(x)
        for one in range(len(x)):
            energy = np.array([(x[one] * other).sum() for other in x])
            shares = softmax(energy.max() - energy if similarity == "inverted" else energy)
            of_channels[one] = sum(share * other for share, other in zip(shares, x, strict=True))
        return x + w["pam.gamma"] * of_positions + w["cam.gamma"] * of_channels

    assert_agrees(block, formula)


@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("kind", ["collect", "distribute", "bi-direction"])
def test_psa(kind: str, shrink: int) -> None:
    block, w = lively("PSA", psa_type=kind, mask_size=(5, 3), shrink_factor=shrink, normalization_factor=1.5)
    suffixes = {"collect": [("", True)], "distribute": [("", False)], "bi-direction": [("", True), ("_p", False)]}

    def branch(x: Array, suffix: str, collects: bool) -> Array:
        features = relu(pair(w, f"reduce{suffix}", x))
        features = resized(features, *(-(-side // shrink) for side in x.shape[1:]))
        hidden = relu(pair(w, f"attention{suffix}", features))
        masks = conv(w, f"attention{suffix}.3", hidden)
        found = np.zeros_like(features)
        for i, j in positions(features):
            logits, sources = [], []
            for a, b in positions(features):
                # where the other lies, seen from the one that predicts
                down, right = (a - i, b - j) if collects else (i - a, j - b)
                if abs(down) <= 2 and abs(right) <= 1:
                    at = (i, j) if collects else (a, b)
                    logits.append(masks[(down + 2) * 3 + right + 1, at[0], at[1]])
                    sources.append(features[:, a, b])
            found[:, i, j] = softmax(np.array(logits)) @ np.stack(sources) / 1.5
        return found

    def formula(x: Array) -> Array:
        found = np.concatenate([branch(x, *which) for which in suffixes[kind]])
        return x + resized(relu(pair(w, "proj", found)), *x.shape[1:])

    assert_agrees(block, formula)


def test_compact_psa_has_absolute_positions() -> None:
    block, w = lively("PSA", mask_size=(5, 4), compact=True, shrink_factor=1)

    def formula(x: Array) -> Array:
        found = []
        for suffix in ("", "_p"):
            features = relu(pair(w, f"reduce{suffix}", x))
            masks = columns_of(conv(w, f"attention{suffix}.3", relu(pair(w, f"attention{suffix}", features))))
            logits = masks if suffix == "" else masks.T  # [target, source]
            found.append(as_map(np.stack([softmax(row) @ columns_of(features) for row in logits]), x))
        return x + relu(pair(w, "proj", np.concatenate(found)))

    assert_agrees(block, formula)


def test_object_context_in_grids() -> None:
    block, w = lively("OCNet", grids=[1, 2, 6])

    def attention(x: Array, stage: int, cells: int) -> Array:
        keys, values = leaky(pair(w, f"stages.{stage}.f_key", x)), conv(w, f"stages.{stage}.f_value", x)
        found = np.zeros_like(values)
        for rows in np.array_split(np.arange(x.shape[1]), min(cells, x.shape[1])):
            for columns in np.array_split(np.arange(x.shape[2]), min(cells, x.shape[2])):
                cell = [(i, j) for i in rows for j in columns]
                for i, j in cell:
                    shares = softmax(np.array([keys[:, i, j] @ keys[:, a, b] for a, b in cell]) / np.sqrt(8))
                    found[:, i, j] = sum(s * values[:, a, b] for s, (a, b) in zip(shares, cell, strict=True))
        return conv(w, f"stages.{stage}.W", found)

    def formula(x: Array) -> Array:
        found = [attention(x, stage, cells) for stage, cells in enumerate((1, 2, 6))]
        return leaky(pair(w, "conv_bn_dropout", np.concatenate([*found, x])))

    assert_agrees(block, formula)


def test_local_relation() -> None:
    block, w = lively("LocalRelation", window=3, share=4, hidden=5)

    def formula(x: Array) -> Array:
        queries, keys = conv(w, "query", x), conv(w, "key", x)
        found = np.zeros_like(x)
        for i, j in positions(x):
            for group in range(4):
                energy, seen = [], []
                for down in (-1, 0, 1):
                    for right in (-1, 0, 1):
                        if 0 <= i + down < x.shape[1] and 0 <= j + right < x.shape[2]:
                            inner = relu(w["prior.0.weight"] @ np.array([down, right]) + w["prior.0.bias"])
                            prior = (w["prior.2.weight"] @ inner + w["prior.2.bias"])[group]
                            energy.append(prior - (queries[group, i, j] - keys[group, i + down, j + right]) ** 2)
                            seen.append(x[4 * group : 4 * group + 4, i + down, j + right])
                found[4 * group : 4 * group + 4, i, j] = softmax(np.array(energy)) @ np.stack(seen)
        return conv(w, "out", found)

    assert_agrees(block, formula)


@pytest.mark.parametrize("order", [None, 3])
@pytest.mark.parametrize("scaled", [True, False])
def test_cgnl(order: int | None, scaled: bool) -> None:
    block, w = lively("CGNL", groups=4, norm_groups=2, taylor_order=order, use_scale=scaled)
    if order is not None:
        block.gn.weight.data.mul_(10)  # the series changes little

    def formula(x: Array) -> Array:
        t, p, g = (conv(w, name, x) for name in "tpg")
        found = np.zeros_like(t)
        for group in range(4):
            own = slice(2 * group, 2 * group + 2)
            if order is None:
                found[own] = (p[own] * g[own]).sum() * t[own]
            else:
                factor, factorial = 1.0, 1.0
                for power in range(order + 1):
                    series = np.exp(-2e-4) * factor / factorial
                    found[own] += series * (p[own] ** power * g[own]).sum() * t[own] ** power
                    factor, factorial = factor * 2e-4, factorial * (power + 1)
            if scaled:
                found[own] /= np.sqrt(2 * x.shape[1] * x.shape[2])
        z = conv(w, "z", found, groups=4)
        for half in (slice(0, 8), slice(8, 16)):
            z[half] = (z[half] - z[half].mean()) / np.sqrt(z[half].var() + 1e-5)
        return x + z * w["gn.weight"][:, None, None] + w["gn.bias"][:, None, None]

    assert_agrees(block, formula)


def test_strip_pooling_as_a_gate() -> None:
    block, w = lively("SPM")

    def formula(x: Array) -> Array:
        rows = norm(w, "bn1", conv(w, "conv1", pooled(x, x.shape[1], 1)))
        columns = norm(w, "bn2", conv(w, "conv2", pooled(x, 1, x.shape[2])))
        found = np.zeros_like(x)
        for i, j in positions(x):
            found[:, i, j] = relu(rows[:, i, 0] + columns[:, 0, j])
        return x / (1 + np.exp(-conv(w, "conv3", found)))

    assert_agrees(block, formula)


def test_mixed_pooling() -> None:
    block, w = lively("MPM", pool_size=(4, 2))

    def formula(x: Array) -> Array:
        size = x.shape[1:]
        squares, strips = relu(pair(w, "conv1_1", x)), relu(pair(w, "conv1_2", x))
        first = pair(w, "conv2_0", squares)
        for side, name in ((4, "conv2_1"), (2, "conv2_2")):
            first = first + resized(pair(w, name, pooled(squares, side, side)), *size)
        second = resized(pair(w, "conv2_3", pooled(strips, 1, size[1])), *size)
        second = second + resized(pair(w, "conv2_4", pooled(strips, size[0], 1)), *size)
        both = np.concatenate([relu(pair(w, "conv2_5", relu(first))), relu(pair(w, "conv2_6", relu(second)))])
        return relu(x + pair(w, "conv3", both))

    assert_agrees(block, formula)


def test_object_regions() -> None:
    block, w = lively("OCR", regions=3)

    def twice(name: str, x: Array) -> Array:
        return conv_norm_relu(w, f"{name}.1", conv_norm_relu(w, f"{name}.0", x))

    def formula(x: Array) -> Array:
        pixels, logits = columns_of(x), columns_of(conv(w, "regions", x))
        regions = np.stack([softmax(logits[:, k]) @ pixels for k in range(3)])
        as_one_row = regions.T[:, None, :]
        keys = columns_of(twice("f_object", as_one_row))
        values = columns_of(conv_norm_relu(w, "f_down", as_one_row))
        queries = columns_of(twice("f_pixel", x))
        found = np.stack([softmax(keys @ query / np.sqrt(8)) @ values for query in queries])
        context = conv_norm_relu(w, "f_up", as_map(found, x))
        return conv_norm_relu(w, "bottleneck", np.concatenate([context, x]))

    assert_agrees(block, formula)
