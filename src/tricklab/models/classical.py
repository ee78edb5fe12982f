"""Baselines that are not trained by gradient: support vector machines and random forests on pixels or whole windows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from tricklab.errors import UserError
from tricklab.registry import component


class ClassicalModel:
    """What the four baselines share: features of windows, and class scores with one column for every class.

    ``fit`` and ``predict_scores`` take windows (N, bands, S, S), float. ``trained_by_gradient`` is False;
    ``centre_only`` says that only the centre pixel of a window is read.
    """

    trained_by_gradient: ClassVar[bool] = False
    centre_only: ClassVar[bool] = False
    classes: int
    window: int
    bands: int
    _fitted: Any = None
    _present: np.ndarray

    def features(self, windows: np.ndarray) -> np.ndarray:
        """Rows of features, float32 (N, bands) or (N, bands * S * S).

        Raises:
            UserError: windows of another shape than the model was built for, NaN or infinite values in what is read.
        """
        windows = np.asarray(windows, dtype=np.float32)
        if windows.ndim != 4 or windows.shape[1] != self.bands or windows.shape[2] != windows.shape[3]:
            raise UserError(
                f"{type(self).__name__} was built for windows of {self.bands} bands, but is given {windows.shape}"
            )
        side = windows.shape[2]
        if side != self.window and not self.centre_only:
            raise UserError(
                f"{type(self).__name__} was built for windows of {self.window} pixels a side, but is given {side}"
            )
        rows = windows[:, :, side // 2, side // 2] if self.centre_only else windows.reshape(len(windows), -1)
        if not np.isfinite(rows).all():
            raise UserError(f"the windows for {type(self).__name__} hold NaN or infinite values")
        return rows

    def fit(self, windows: np.ndarray, targets: np.ndarray, seed: int) -> None:
        """Fit on windows (N, bands, S, S) and their class numbers (N,), int. The same seed gives the same model.

        Raises:
            UserError: fewer than two classes, class numbers out of range, what :meth:`features` refuses.
        """
        targets = np.asarray(targets)
        features = self.features(windows)
        if len(targets) != len(features):
            raise UserError(f"{len(features)} windows, but {len(targets)} targets")
        if len(targets) and (targets.min() < 0 or targets.max() >= self.classes):
            raise UserError(f"targets must lie in 0..{self.classes - 1}, but span {targets.min()}..{targets.max()}")
        if len(np.unique(targets)) < 2:
            raise UserError(f"{type(self).__name__} needs training pixels of at least two classes")
        estimator = self.estimator(seed % 2**32)
        self._fitted = estimator.fit(features, targets)
        self._present = np.asarray(estimator.classes_)

    def predict_scores(self, windows: np.ndarray) -> np.ndarray:
        """Scores float64 (N, classes), the larger the more likely; a class without training pixels never wins.

        Raises:
            UserError: the model is not fitted; what :meth:`features` refuses.
        """
        if self._fitted is None:
            raise UserError(f"{type(self).__name__} is not fitted yet", fix="call fit first")
        seen = self.seen_scores(self.features(windows))
        scores = np.repeat(self.floor(seen)[:, None], self.classes, axis=1)
        scores[:, self._present] = seen
        return scores

    def estimator(self, seed: int) -> Any:
        """A fresh scikit-learn classifier."""
        raise NotImplementedError

    def seen_scores(self, features: np.ndarray) -> np.ndarray:
        """Scores (N, classes seen in training)."""
        raise NotImplementedError

    def floor(self, seen: np.ndarray) -> np.ndarray:
        """The score (N,) of a class that training never saw."""
        raise NotImplementedError


class _SVM(ClassicalModel):
    def __init__(self, C: float, gamma: float | None, window: int, bands: int, classes: int) -> None:
        if C <= 0:
            raise UserError(f"C of a support vector machine must be positive, not {C}", where="model.C")
        if gamma is not None and gamma <= 0:
            raise UserError(f"gamma must be positive, not {gamma}", where="model.gamma")
        self.C, self.gamma, self.window, self.bands, self.classes = C, gamma, window, bands, classes

    def estimator(self, seed: int) -> Any:
        return SVC(C=self.C, gamma="scale" if self.gamma is None else self.gamma, random_state=seed)

    def seen_scores(self, features: np.ndarray) -> np.ndarray:
        """One-against-rest values built from the one-against-one machines; their order is not always that of the
        votes, so the argmax can differ from scikit-learn's ``predict`` on ties only (``break_ties``)."""
        values = self._fitted.decision_function(features)
        return np.stack([-values, values], axis=1) if values.ndim == 1 else values

    def floor(self, seen: np.ndarray) -> np.ndarray:
        return seen.min(axis=1) - 1.0


class _Forest(ClassicalModel):
    def __init__(self, trees: int, min_leaf: int, window: int, bands: int, classes: int) -> None:
        if trees < 1 or min_leaf < 1:
            raise UserError(f"trees and min_leaf must be at least 1, not {trees} and {min_leaf}", where="model")
        self.trees, self.min_leaf = trees, min_leaf
        self.window, self.bands, self.classes = window, bands, classes

    def estimator(self, seed: int) -> Any:
        return RandomForestClassifier(self.trees, min_samples_leaf=self.min_leaf, random_state=seed, n_jobs=1)

    def seen_scores(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self._fitted.predict_proba(features))

    def floor(self, seen: np.ndarray) -> np.ndarray:
        return np.zeros(len(seen))


@component("model", source="Melgani & Bruzzone, TGRS 42(8) 2004", given=("bands", "window", "classes"))
class PixelSVM(_SVM):
    """Support vector machine with an RBF kernel on the centre pixel's spectrum.

    Args:
        C: cost of a training pixel on the wrong side.
        gamma: width of the kernel ``exp(-gamma |x - y|²)``; null: 1 / (features × variance).
        bands: bands of a pixel.
        window: side of the windows it is given, of which only the centre is read.
        classes: number of classes.
    """

    centre_only = True

    def __init__(self, C: float = 100.0, gamma: float | None = None, *, bands: int, window: int, classes: int) -> None:
        super().__init__(C, gamma, window, bands, classes)


@component(
    "model", source="Melgani & Bruzzone, TGRS 42(8) 2004, on whole windows", given=("bands", "window", "classes")
)
class PatchSVM(_SVM):
    """Support vector machine with an RBF kernel on all pixels of the window.

    Args:
        C: cost of a training window on the wrong side.
        gamma: width of the kernel ``exp(-gamma |x - y|²)``; null: 1 / (features × variance).
        bands: bands of a pixel.
        window: side of a window in pixels.
        classes: number of classes.
    """

    def __init__(self, C: float = 100.0, gamma: float | None = None, *, bands: int, window: int, classes: int) -> None:
        super().__init__(C, gamma, window, bands, classes)


@component("model", source="Breiman 2001; Ham et al., TGRS 43(3) 2005", given=("bands", "window", "classes"))
class PixelForest(_Forest):
    """Random forest on the centre pixel's spectrum.

    Args:
        trees: number of trees.
        min_leaf: training pixels that a leaf keeps at least.
        bands: bands of a pixel.
        window: side of the windows it is given, of which only the centre is read.
        classes: number of classes.
    """

    centre_only = True

    def __init__(self, trees: int = 200, min_leaf: int = 1, *, bands: int, window: int, classes: int) -> None:
        super().__init__(trees, min_leaf, window, bands, classes)


@component(
    "model", source="Breiman 2001; Ham et al., TGRS 43(3) 2005, on whole windows", given=("bands", "window", "classes")
)
class PatchForest(_Forest):
    """Random forest on all pixels of the window.

    Args:
        trees: number of trees.
        min_leaf: training windows that a leaf keeps at least.
        bands: bands of a pixel.
        window: side of a window in pixels.
        classes: number of classes.
    """

    def __init__(self, trees: int = 200, min_leaf: int = 1, *, bands: int, window: int, classes: int) -> None:
        super().__init__(trees, min_leaf, window, bands, classes)
