"""Arrays of a MATLAB file (4 to 7.2 by SciPy, 7.3 by h5py), and picking the one that fits."""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tricklab.errors import UserError, nearest

_NUMBERS = {"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "logical"}

# what SciPy and h5py raise on damaged files; NotImplementedError is a RuntimeError, UnicodeDecodeError a ValueError
_DAMAGED = (OSError, ValueError, TypeError, LookupError, EOFError, RuntimeError)


@dataclass(frozen=True)
class MatArray:
    """One variable of a file: its name, its shape in MATLAB's order of axes, and its MATLAB class."""

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def numeric(self) -> bool:
        return self.kind in _NUMBERS

    def __str__(self) -> str:
        return f"{self.name} {'×'.join(map(str, self.shape))} {self.kind}"


def list_arrays(path: Path) -> list[MatArray]:
    """Every variable of the file, without reading its values.

    Raises:
        UserError: not a MATLAB file, or a damaged one.
    """
    if _is_hdf5(path):
        import h5py

        found = []
        try:
            with h5py.File(path, "r") as file:
                for name, item in file.items():
                    if name.startswith("#") or not isinstance(item, h5py.Dataset):
                        continue
                    found.append(MatArray(name, tuple(item.shape[::-1]), _class_of(item)))
        except (*_DAMAGED, AttributeError) as cause:
            raise UserError(f"a damaged MATLAB 7.3 file ({_said(cause)})", where=str(path)) from cause
        return found
    import scipy.io

    try:
        return [MatArray(name, tuple(shape), kind) for name, shape, kind in scipy.io.whosmat(path)]
    except Exception as cause:
        raise UserError(f"not a readable MATLAB file ({_said(cause)})", where=str(path)) from cause


def read_array(path: Path, name: str) -> np.ndarray:
    """One variable as an array with axes in MATLAB's order: (rows, columns, …).

    Raises:
        UserError: the file is damaged.
    """
    try:
        if _is_hdf5(path):
            import h5py

            with h5py.File(path, "r") as file:
                return np.asarray(file[name][()]).T  # MATLAB stores columns first
        import scipy.io

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except (*_DAMAGED, zlib.error) as cause:
        raise UserError(f"the array {name!r} cannot be read ({_said(cause)})", where=str(path)) from cause


def pick(
    path: Path, key: str | None, *, axes: int, what: str, option: str, shape: tuple[int, int] | None = None
) -> str:
    """The name of the array to take.

    Args:
        key: the name asked for, or None to take the only numeric array with that many axes.
        axes: 3 for a cube, 2 for a label map; axes of length one do not count.
        what: what is looked for, for errors.
        option: the recipe key that would name the array.
        shape: (height, width) of the cube, which decides between several label maps.

    Raises:
        UserError: no such array, none that fits, or several; lists the file's arrays.
    """
    arrays = list_arrays(path)
    listing = f"arrays: {', '.join(map(str, arrays))}" if arrays else "the file holds no arrays"
    if key is not None:
        named = [array for array in arrays if array.name == key]
        if not named:
            raise UserError(
                f"no array {key!r}; {listing}", where=f"{path}, {option}", fix=nearest(key, [a.name for a in arrays])
            )
        if not named[0].numeric or len(named[0].shape) != axes:
            raise UserError(f"{named[0]} is no {what}: it needs {axes} axes of real numbers", where=f"{path}, {option}")
        return key
    fitting = [array for array in arrays if array.numeric and _fits(array.shape, axes)]
    if len(fitting) > 1 and shape is not None:
        fitting = [array for array in fitting if array.shape == tuple(shape)] or fitting
    if len(fitting) == 1:
        return fitting[0].name
    if not fitting:
        raise UserError(f"no array can be the {what}: it needs {axes} axes of real numbers; {listing}", where=str(path))
    raise UserError(
        f"{len(fitting)} arrays could be the {what}: {', '.join(map(str, fitting))}",
        where=str(path),
        fix=f"name one with {option}",
    )


def _fits(shape: tuple[int, ...], axes: int) -> bool:
    return len(shape) == axes and all(length > 1 for length in shape)


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _class_of(item) -> str:  # type: ignore[no-untyped-def]
    """MATLAB's own class name; files that other programs wrote have none, there the dtype tells."""
    named = item.attrs.get("MATLAB_class")
    if named is not None:
        return named.decode() if isinstance(named, bytes) else str(named)
    kind = {"f4": "single", "f8": "double", "b1": "logical"}
    code = item.dtype.str[1:]
    if item.dtype.kind in "iu":
        return f"{'u' if item.dtype.kind == 'u' else ''}int{8 * item.dtype.itemsize}"
    return kind.get(code, str(item.dtype))


def _said(cause: Exception) -> str:
    text = str(cause).split("\n")[0]
    return f"{type(cause).__name__}: {text[:120]}"
