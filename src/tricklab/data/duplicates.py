"""The same picture more than once: byte for byte, or nearly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tricklab.data.image_list import ImageList
from tricklab.data.image_survey import Survey, survey_images
from tricklab.errors import UserError

SIMILARITY = 0.98
_ROWS_AT_ONCE = 1024
_MOST_PAIRS = 1 << 20
_SHOWN = 5
Agreement = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Duplicates:
    """Images that show the same picture.

    Args:
        units: int64 (N,), numbered from 0 by first appearance: images of one unit show the same picture and must stay
            on one side of a split.
        identical: groups of byte-identical images, each the ascending numbers of two or more.
        near: units that hold images that are not byte-identical, as groups of numbers.
        contradictions: units whose images carry different labels, as groups of numbers.
    """

    units: np.ndarray
    identical: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, ...], ...]
    contradictions: tuple[tuple[int, ...], ...]

    def facts(self) -> dict[str, Any]:
        """Counts, as plain numbers."""
        return {
            "images": len(self.units),
            "units": int(self.units.max(initial=-1)) + 1,
            "identical_groups": len(self.identical),
            "identical_images": sum(map(len, self.identical)),
            "near_groups": len(self.near),
            "near_images": sum(map(len, self.near)),
            "contradictions": len(self.contradictions),
        }

    def describe(self, images: ImageList, groups: tuple[tuple[int, ...], ...]) -> list[str]:
        """One line a group: the images' names, and their classes where these differ."""
        lines = []
        for group in groups:
            names = [images.key(number) for number in group]
            if len({int(images.labels[number]) for number in group}) > 1:
                labels = (images.classes[images.labels[number]] for number in group)
                names = [f"{name} ({label})" for name, label in zip(names, labels, strict=True)]
            lines.append(" = ".join(names))
        return lines

    def check_labels(self, images: ImageList) -> None:
        """Refuse pictures that stand under two labels.

        Raises:
            UserError: names the first few.
        """
        if self.contradictions:
            lines = self.describe(images, self.contradictions[:_SHOWN])
            raise UserError(
                f"{len(self.contradictions)} picture{'s' if len(self.contradictions) > 1 else ''} under more than one "
                f"label: {'; '.join(lines)}{' …' if len(self.contradictions) > _SHOWN else ''}",
                where=images.name,
                fix="keep each picture under its right label only, or write contradictions: drop, which leaves it out",
            )


def find_duplicates(
    images: ImageList,
    survey: Survey | None = None,
    *,
    similarity: float = SIMILARITY,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Find byte-identical and near-identical images, and those of them whose labels contradict each other.

    Two images are near-identical if their 64-bit difference hashes differ in at most one bit **and** the centred
    cosine (the correlation) of their 32 × 32 grey thumbnails is at least ``similarity``. The hash alone would pair up
    different objects on plain ground. Copies of another size, compression or brightness are found, some 19 of 20 where
    the picture is noisy; cropped, turned and mirrored copies are not. A picture of one grey level resembles nothing.
    Likeness is passed on: if A is like B and B like C, all three are one unit.

    Time grows as N · log N, and within sets of like hashes as the square; memory grows as N whatever is alike.

    Args:
        images: what to look through.
        survey: of these images, if it was made already; without it every image is decoded here.
        similarity: lowest cosine of near-identical images; more than 1 looks for byte-identical ones only.
        threads, progress: as for :func:`survey_images`.

    Raises:
        UserError: an image cannot be read, where no survey is given.
    """
    looked = survey if survey is not None else survey_images(images, threads=threads, progress=progress)
    assert len(looked.sizes) == len(images)
    identical = _identical(images, looked.readable)
    first = np.arange(len(images))
    for group in identical:
        first[list(group)] = group[0]
    units, near = copies_of(first, looked.readable, looked.hashes, looked.thumbnails, similarity)
    return Duplicates(
        units=units,
        identical=identical,
        near=near,
        contradictions=unit_members(units, _mixed(units, images.labels)),
    )


def copies_of(
    first: np.ndarray,
    usable: np.ndarray,
    hashes: np.ndarray,
    thumbnails: np.ndarray,
    similarity: float = SIMILARITY,
    agree: Agreement | None = None,
) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]]:
    """Units of identical and near-identical images, and those units that hold near-identical ones.

    Args:
        first: int64 (N,), the number of the first image that is identical with each.
        usable: bool (N,); the others are like nothing.
        hashes, thumbnails: as :class:`Survey` has them.
        similarity: as for :func:`find_duplicates`.
        agree: told the numbers of images that look alike, left and right; says of which pairs that is so, bool.

    Returns:
        int64 (N,) as :class:`Duplicates` has them, and groups of numbers.
    """
    alone = np.flatnonzero((first == np.arange(len(first))) & usable)
    check = None if agree is None else lambda left, right: agree(alone[left], alone[right])
    pairs = near_pairs(hashes[alone], thumbnails[alone], similarity, check)
    left, right = alone[pairs[0]], alone[pairs[1]]
    units = join_units(first, len(first), left, right)
    return units, unit_members(units, np.unique(units[left]))


def join_units(labels: np.ndarray, count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Units of ``count`` images from numbers that are equal within a unit, (N,), and pairs that belong together.

    Returns:
        int64 (N,), numbered from 0 by first appearance.

    >>> join_units(np.array([5, 7, 5, 8]), 4, np.array([1]), np.array([3])).tolist()
    [0, 1, 0, 1]
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rows = np.concatenate([np.arange(count), left])
    columns = np.concatenate([first[inverse], right])
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    found = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _identical(images: ImageList, readable: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Groups of byte-identical files or pixels; only files of equal size are read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for number in np.flatnonzero(readable).tolist():
        path = images.paths[number]
        by_size[-1 if path is None else path.stat().st_size].append(number)
    by_digest: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for size, numbers in by_size.items():
        if len(numbers) > 1:
            for number in numbers:
                by_digest[size, _digest(images, number)].append(number)
    return tuple(sorted(tuple(group) for group in by_digest.values() if len(group) > 1))


def _digest(images: ImageList, number: int) -> bytes:
    path = images.paths[number]
    if path is None:
        assert images.pixels is not None
        return hashlib.blake2b(images.pixels[number].tobytes(), digest_size=20).digest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).digest()


def near_pairs(
    hashes: np.ndarray, thumbnails: np.ndarray, similarity: float = SIMILARITY, agree: Agreement | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (left, right) that link near-identical images: candidates by hash, then the cosine, a block at a time.

    What is alike says :func:`find_duplicates`, and ``agree`` where it is given.

    Not every pair, but enough of them to join the same images: all frames of a still video are alike, and pairs of them
    would fill the memory.
    """
    found = _Links(len(hashes))
    for some, others in _candidates(hashes):
        for start in range(0, len(some), _ROWS_AT_ONCE):
            rows = some[start : start + _ROWS_AT_ONCE]
            vectors = _centred(thumbnails[rows])
            # within one set each two are compared once
            for first in range(start if others is some else 0, len(others), _ROWS_AT_ONCE):
                columns = others[first : first + _ROWS_AT_ONCE]
                alike = np.argwhere(vectors @ _centred(thumbnails[columns]).T >= similarity)
                left, right = rows[alike[:, 0]], columns[alike[:, 1]]
                said = left != right
                if agree is not None:
                    said[said] = agree(left[said], right[said])
                found.add(left[said], right[said])
    return found.pairs()


class _Links:
    """Pairs of numbers below ``count``, thinned out to what joins the same numbers whenever they become many."""

    def __init__(self, count: int) -> None:
        self.count, self.parts, self.size = count, [np.zeros((2, 0), dtype=np.int64)], 0

    def add(self, left: np.ndarray, right: np.ndarray) -> None:
        self.parts.append(np.stack([left, right]))
        self.size += len(left)
        if self.size > max(_MOST_PAIRS, 4 * self.count):
            self.parts = [np.stack(self.pairs())]
            self.size = self.parts[0].shape[1]

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """At most one pair for each number: with the first of those it belongs to."""
        left, right = np.concatenate(self.parts, axis=1)
        units = join_units(np.arange(self.count), self.count, left, right)
        _, first = np.unique(units, return_index=True)
        joined = np.flatnonzero(first[units] != np.arange(self.count))
        return joined, first[units[joined]]


def _centred(thumbnails: np.ndarray) -> np.ndarray:
    """Vectors of mean 0 and length 1, float32 (N, 1024); zero for a picture of one grey level."""
    vectors = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _candidates(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sets of images whose hashes are equal or one bit apart; the latter are looked up by flipping each bit."""
    order = np.argsort(hashes, kind="stable")
    values, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    members = [order[start : start + count] for start, count in zip(starts, counts, strict=True)]
    for number in np.flatnonzero(counts > 1):
        yield members[number], members[number]
    for bit in range(64):
        other = values ^ (np.uint64(1) << np.uint64(bit))
        place = np.minimum(np.searchsorted(values, other), len(values) - 1)
        for number in np.flatnonzero((values[place] == other) & (values < other)):
            yield members[number], members[place[number]]


def _mixed(units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The units that hold more than one label."""
    pairs = np.unique(np.stack([units, labels]), axis=1)
    numbers, counts = np.unique(pairs[0], return_counts=True)
    return numbers[counts > 1]


def unit_members(units: np.ndarray, chosen: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The ascending numbers of the images of each chosen unit."""
    order = np.argsort(units, kind="stable")
    bounds = np.searchsorted(units[order], np.stack([chosen, chosen + 1]))
    return tuple(tuple(order[low:high].tolist()) for low, high in bounds.T)
