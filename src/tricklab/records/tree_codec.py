"""The type-preserving JSON of ``save_tree``: plain JSON where JSON is exact, ``{"$": tag, ...}`` where it is not."""

from __future__ import annotations

import base64
import math
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from tricklab.errors import UserError

_EXACT_INT = 2**53
_ARRAY_KINDS = "biufcSUmM"
_TENSOR_ARRAYS = ("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64")


class Encoder:
    """Turns a tree into JSON values; the tensors it meets collect in ``tensors`` under names from their place."""

    def __init__(self, where: str) -> None:
        import torch

        self.torch = torch
        self.where = where
        self.tensors: dict[str, Any] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        self._storages: set[int] = set()
        self._open: set[int] = set()

    def encode(self, value: Any, place: tuple[str, ...]) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if abs(value) <= _EXACT_INT else {"$": "int", "hex": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$": "float", "text": str(value)}
        if isinstance(value, self.torch.Tensor):
            return self._tensor(value, place)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, place)
        if kind in _CONTAINERS or kind is self.torch.Size:
            return self._container(value, place)
        if kind is complex:
            return {"$": "complex", "parts": [self.encode(value.real, place), self.encode(value.imag, place)]}
        if kind is bytes:
            return {"$": "bytes", "base64": base64.b64encode(value).decode("ascii")}
        if kind is self.torch.dtype:
            return {"$": "dtype", "name": str(value).removeprefix("torch.")}
        if kind is self.torch.device:
            return {"$": "device", "name": str(value)}
        raise self._refuse(f"a {kind.__module__}.{kind.__qualname__}", place)

    def _container(self, value: Any, place: tuple[str, ...]) -> Any:
        if id(value) in self._open:
            raise self._refuse("a container that holds itself", place)
        self._open.add(id(value))
        try:
            if isinstance(value, dict):
                return self._mapping(value, place)
            items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            found = [self.encode(item, (*place, str(i))) for i, item in enumerate(items)]
            if type(value) is list:
                return found
            return {"$": "size" if type(value) is self.torch.Size else type(value).__name__, "items": found}
        finally:
            self._open.discard(id(value))

    def _mapping(self, value: dict[Any, Any], place: tuple[str, ...]) -> Any:
        if type(value) is dict and "$" not in value and all(type(key) is str for key in value):
            return {key: self.encode(item, (*place, key)) for key, item in value.items()}
        pairs = [
            [self.encode(key, (*place, "key")), self.encode(item, (*place, str(key)))] for key, item in value.items()
        ]
        return {"$": type(value).__name__, "pairs": pairs}

    def _tensor(self, value: Any, place: tuple[str, ...]) -> Any:
        if value.layout is not self.torch.strided or value.device.type == "meta" or value.is_quantized:
            raise self._refuse("a tensor that is not dense", place)
        tensor = value.detach()
        note: dict[str, Any] = {"$": "tensor"}
        if tensor.is_complex():
            note["complex"] = True
            tensor = self.torch.view_as_real(tensor.resolve_conj())
        tensor = tensor.resolve_neg()
        view = (tensor.device, tensor.dtype, tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() and view in self._known:
            return {**note, "name": self._known[view]}
        name = self._add(tensor, place)
        self._known[view] = name
        return {**note, "name": name}

    def _array(self, value: Any, place: tuple[str, ...]) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in _ARRAY_KINDS or array.dtype.hasobject:
            raise self._refuse(f"a NumPy array of {array.dtype}", place)
        note = {"$": "array" if isinstance(value, np.ndarray) else "scalar"}
        if array.dtype.name in _TENSOR_ARRAYS and array.dtype.isnative:
            return {**note, "name": self._add(self.torch.from_numpy(np.array(array)), place)}
        raw = np.frombuffer(array.tobytes(), dtype=np.uint8).copy()
        name = self._add(self.torch.from_numpy(raw), place)
        return {**note, "name": name, "dtype": array.dtype.str, "shape": list(array.shape)}

    def _add(self, tensor: Any, place: tuple[str, ...]) -> str:
        base = name = ".".join(place) or "value"
        number = 2
        while name in self.tensors:
            name, number = f"{base}#{number}", number + 1
        # safetensors refuses views into one memory, so each gets its own
        tensor = tensor.cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self._storages or storage.nbytes() != tensor.numel() * tensor.element_size():
            tensor = tensor.clone()
        if tensor.numel():
            self._storages.add(tensor.untyped_storage().data_ptr())
        self.tensors[name] = tensor
        return name

    def _refuse(self, what: str, place: tuple[str, ...]) -> UserError:
        inside = ".".join(place) or "the tree itself"
        return UserError(
            f"{what} cannot be saved",
            where=f"{self.where}, {inside}",
            fix="keep dicts, lists, tuples, numbers, text, tensors and NumPy arrays",
        )


class Decoder:
    """Turns ``Encoder``'s JSON values back into the tree."""

    def __init__(self, tensors: dict[str, Any], device: Any) -> None:
        import torch

        self.torch = torch
        self.tensors = tensors
        self.device = device
        self._given: dict[tuple[str, bool], Any] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$" not in value:
            return {key: self.decode(item) for key, item in value.items()}
        return self._tagged(value["$"], value)

    def _tagged(self, tag: str, value: dict[str, Any]) -> Any:
        match tag:
            case "tensor":
                return self._tensor(value["name"], value.get("complex", False))
            case "array" | "scalar":
                array = self._array(value)
                return array if tag == "array" else array[()]
            case "int":
                return int(value["hex"], 16)
            case "float":
                return float(value["text"])
            case "complex":
                return complex(*(self.decode(part) for part in value["parts"]))
            case "bytes":
                return base64.b64decode(value["base64"])
            case "dtype":
                return {str(known): known for known in vars(self.torch).values() if type(known) is self.torch.dtype}[
                    f"torch.{value['name']}"
                ]
            case "device":
                return self.torch.device(value["name"])
            case "size":
                return self.torch.Size(value["items"])
        kind = {kind.__name__: kind for kind in _CONTAINERS}[tag]
        if "pairs" in value:
            return kind({self.decode(key): self.decode(item) for key, item in value["pairs"]})
        return kind(self.decode(item) for item in value["items"])

    def _tensor(self, name: str, is_complex: bool) -> Any:
        if (name, is_complex) not in self._given:
            tensor = self.tensors[name]
            if is_complex:
                tensor = self.torch.view_as_complex(tensor)
            self._given[name, is_complex] = tensor.to(self.device)
        return self._given[name, is_complex]

    def _array(self, value: dict[str, Any]) -> np.ndarray:
        array = self.tensors[value["name"]].numpy()
        if "dtype" in value:
            array = np.frombuffer(array.tobytes(), dtype=np.dtype(value["dtype"])).reshape(value["shape"]).copy()
        return array


_CONTAINERS: tuple[type, ...] = (dict, OrderedDict, Counter, list, tuple, set, frozenset)
