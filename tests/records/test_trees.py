"""Trees come back with the types they had, from one safetensors file that others can read."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tricklab.errors import UserError
from tricklab.records import load_tree, save_tree


def there_and_back(tree: Any, folder: Path) -> Any:
    save_tree(folder / "tree.safetensors", tree)
    return load_tree(folder / "tree.safetensors")


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and left.shape == right.shape and left.cpu().equal(right)
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, dict):
        return [*map(type, left)] == [*map(type, right)] and all(
            k == j and same(left[k], right[j]) for k, j in zip(left, right, strict=True)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    return bool(left == right)


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {},
        {"a": (1, 2), "b": [1, 2], "c": ()},
        {1: "int key", "1": "text key", (1, 2): "tuple key", None: 0, False: 1, 2.5: 3},
        {"flag": True, "one": 1, "none": None, "empty": ""},
        {"inf": math.inf, "minus": -math.inf, "nan": math.nan, "zero": -0.0, "tiny": 5e-324, "third": 1 / 3},
        {"big": 2**200, "negative": -(2**70), "edge": 2**53 + 1},
        {"$": "a key that is the tag", "x": {"$": [1]}},
        {"a.b": 1, "a": {"b": 2}},
        OrderedDict([("z", 1), ("a", OrderedDict())]),
        {"counter": Counter({41: 1, 76: 2}), "set": {1, 2}, "frozen": frozenset({"x"})},
        {"bytes": b"\x00\xff", "complex": complex(1, -0.0), "shape": torch.Size([2, 3])},
        {"dtype": torch.bfloat16, "device": torch.device("cpu")},
    ],
)
def test_plain_values_keep_their_types(tree: Any, tmp_path: Path) -> None:
    assert same(there_and_back(tree, tmp_path), tree)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.int64,
        torch.int8,
        torch.uint8,
        torch.bool,
        torch.complex64,
        torch.complex128,
    ],
)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_tensors_keep_dtype_and_shape(dtype: torch.dtype, shape: tuple[int, ...], tmp_path: Path) -> None:
    tensor = (torch.arange(math.prod(shape)).reshape(shape) % 2 + 1).to(dtype)
    back = there_and_back({"t": tensor}, tmp_path)["t"]
    assert back.dtype == dtype
    assert back.shape == tensor.shape
    assert back.view(torch.uint8).equal(tensor.view(torch.uint8)) if back.ndim else back.item() == tensor.item()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.arange(6, dtype=np.float32)[::2],
        np.array(3.5),
        np.float32(2.5),
        np.bool_(True),
        np.array(["Corn", "Oats-very-long"]),
        np.array([1, 2], dtype=">i4"),
        np.array(["2026-11-22"], dtype="datetime64[D]"),
        np.array([1 + 2j]),
        np.zeros((0, 4), dtype=np.uint16),
    ],
)
def test_numpy_keeps_dtype_and_shape(array: Any, tmp_path: Path) -> None:
    assert same(there_and_back([array], tmp_path), [array])


def test_arrays_come_back_writable(tmp_path: Path) -> None:
    back = there_and_back({"a": np.zeros(3), "b": np.array(["x"])}, tmp_path)
    back["a"][0] = 1
    back["b"][0] = "y"
    assert back["a"][0] == 1
    assert there_and_back({"a": np.zeros(3)}, tmp_path)["a"][0] == 0


def test_shared_tensors_stay_shared_and_views_come_apart(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    tree = {"a": base, "b": {"again": base}, "view": base.view(2, 3), "part": base[2:4], "strided": base[::2]}
    back = there_and_back(tree, tmp_path)
    assert back["a"] is back["b"]["again"]
    back["a"][:] = -1
    assert back["view"].equal(base.view(2, 3))
    assert back["part"].equal(base[2:4])
    assert back["strided"].equal(base[::2])


def test_equal_but_separate_tensors_stay_separate(tmp_path: Path) -> None:
    back = there_and_back([torch.ones(3), torch.ones(3)], tmp_path)
    back[0][0] = 5
    assert back[1].equal(torch.ones(3))


def test_gradients_and_layout_do_not_matter(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last))
    back = there_and_back({"w": weight}, tmp_path)["w"]
    assert type(back) is torch.Tensor
    assert not back.requires_grad
    assert back.equal(weight.detach())


def test_a_state_dict_is_plain_to_other_readers(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    save_tree(tmp_path / "weights.safetensors", dict(model.state_dict()))
    found = load_file(tmp_path / "weights.safetensors")
    assert list(found)
    assert set(found) == set(model.state_dict())
    assert all(found[name].equal(tensor) for name, tensor in model.state_dict().items())


def test_nested_tensors_are_named_after_their_place(tmp_path: Path) -> None:
    save_tree(tmp_path / "t.safetensors", {"optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}})
    assert list(load_file(tmp_path / "t.safetensors")) == ["optimizer.state.0.exp_avg"]


def test_an_optimizer_state_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def steps(model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
        for _ in range(number):
            optimizer.zero_grad()
            model(torch.ones(4, 2)).square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    steps(model, optimizer, 3)
    back = there_and_back({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path)
    steps(model, optimizer, 3)
    other = torch.nn.Linear(2, 2)
    resumed = torch.optim.Adam(other.parameters(), lr=0.5)
    other.load_state_dict(back["model"])
    resumed.load_state_dict(back["optimizer"])
    steps(other, resumed, 3)
    assert all(a.equal(b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


class Own:
    pass


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({"callbacks": {"mine": [1, Own()]}}, "callbacks.mine.1"),
        (Own(), "the tree itself"),
        ({"f": print}, "f"),
        ({"array": np.array([Own()])}, "array"),
        ({"meta": torch.zeros(2, device="meta")}, "meta"),
        ({"sparse": torch.eye(2).to_sparse()}, "sparse"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(tree: Any, place: str, tmp_path: Path) -> None:
    save_tree(tmp_path / "t.safetensors", {"old": 1})
    with pytest.raises(UserError, match=r"cannot be saved") as caught:
        save_tree(tmp_path / "t.safetensors", tree)
    assert str(caught.value.where).endswith(f", {place}")
    assert load_tree(tmp_path / "t.safetensors") == {"old": 1}


def test_a_container_that_holds_itself_is_refused(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UserError, match="holds itself"):
        save_tree(tmp_path / "t.safetensors", loop)


def test_foreign_files_are_flat_dicts(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "f.safetensors")
    assert load_tree(tmp_path / "f.safetensors")["w"].equal(torch.ones(2))


@pytest.mark.parametrize("content", [b"", b"no safetensors", None])
def test_missing_and_torn_files_are_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"t\.safetensors: "):
        load_tree(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tree(path, {"w": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_tree(path)


KEYS = st.one_of(
    st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.tuples(st.integers(), st.text(max_size=2))
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES)
def test_any_tree_comes_back_the_same(tmp_path: Path, tree: Any) -> None:
    assert same(there_and_back(tree, tmp_path), tree)
