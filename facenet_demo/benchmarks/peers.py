"""Hand-crafted features with classical classifiers: what a network has to beat.

    accuracy = PEERS["HOG + SVM"](train_windows, train_labels, test_windows, test_labels)

All see the same aligned windows and the same split as the network; settings are the libraries'
usual ones, the SVM's C is chosen by cross-validation on the training photos.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.feature import hog, local_binary_pattern
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue


def pixels_svm(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Linear SVM on the colour pixels; windows `(N, W, W, 3)` in [0, 1], labels `(N,)`."""
    scaler = StandardScaler().fit(x.reshape(len(x), -1))
    # A mean inner product instead of a sum, so that C has its usual meaning.
    scale = np.sqrt(scaler.n_features_in_)
    train, test = (scaler.transform(w.reshape(len(w), -1)) / scale for w in (x, test_x))
    return _linear_svm(train, y, test, test_y)


def eigenfaces_svm(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Whitened principal components of grey pixels (Turk and Pentland 1991) and an RBF SVM."""
    train, test = (_grey(windows).reshape(len(windows), -1) for windows in (x, test_x))
    components = min(150, len(train) // 2)
    model = make_pipeline(
        PCA(components, whiten=True, svd_solver="randomized", random_state=0),
        SVC(kernel="rbf", class_weight="balanced"),
    )
    return _chosen(model, train, y).score(test, test_y)


def hog_svm(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Histograms of oriented gradients (Dalal and Triggs 2005) and a linear SVM."""
    train, test = (
        np.stack([hog(grey, pixels_per_cell=(8, 8), cells_per_block=(2, 2)) for grey in _grey(w)])
        for w in (x, test_x)
    )
    return _linear_svm(train, y, test, test_y)


def haar_svm(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Haar-like features (Papageorgiou et al. 1998; Viola and Jones 2001) and a linear SVM."""
    scaler = StandardScaler().fit(_haar(_grey(x)))
    scale = np.sqrt(scaler.n_features_in_)
    train, test = (scaler.transform(_haar(_grey(w))) / scale for w in (x, test_x))
    return _linear_svm(train, y, test, test_y)


def lbp_neighbour(x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> float:
    """Local binary pattern histograms on a grid, nearest neighbour (Ahonen et al. 2006)."""
    train, test = (np.stack([_lbp(grey) for grey in _grey(w)]) for w in (x, test_x))
    # With histograms h and g, the Hellinger distance is Euclidean between their roots; it stands in
    # for chi square, which it approximates and which is far slower.
    model = KNeighborsClassifier(n_neighbors=1)
    return model.fit(np.sqrt(train), y).score(np.sqrt(test), test_y)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]] = {
    "linear SVM on pixels": pixels_svm,
    "eigenfaces + SVM": eigenfaces_svm,
    "HOG + SVM": hog_svm,
    "LBP + nearest neighbour": lbp_neighbour,
}


def _grey(windows: np.ndarray) -> np.ndarray:
    return windows @ GREY


def _lbp(grey: np.ndarray, grid: int = 8, radius: int = 2) -> np.ndarray:
    codes = local_binary_pattern((grey * 255).astype(np.uint8), 8, radius, method="nri_uniform")
    side = len(grey) // grid
    cells = codes.reshape(grid, side, grid, side).transpose(0, 2, 1, 3).reshape(grid * grid, -1)
    return np.concatenate([np.bincount(cell.astype(int), minlength=59) for cell in cells]) / side**2


def _haar(grey: np.ndarray) -> np.ndarray:
    """Differences of neighbouring boxes: two beside, two above each other, three beside each other.

    Args:
        grey: `(N, W, W)`.

    Returns:
        `(N, F)`; boxes of 4, 8 and 16 pixels, at every half box.
    """
    # Sums of all pixels above and to the left: a box is four of them.
    sums = np.pad(grey.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    found = []
    for side in (4, 8, 16):
        boxes = sums[:, side:, side:] + sums[:, :-side, :-side]
        boxes = (boxes - sums[:, :-side, side:] - sums[:, side:, :-side]) / side**2
        step = side // 2
        beside = boxes[:, :, side:] - boxes[:, :, :-side]
        above = boxes[:, side:] - boxes[:, :-side]
        middle = beside[:, :, :-side] - beside[:, :, side:]
        found += [f[:, ::step, ::step].reshape(len(grey), -1) for f in (beside, above, middle)]
    return np.concatenate(found, axis=1)


def _linear_svm(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> float:
    # Inner products once instead of in each of the fits.
    model = _chosen(SVC(kernel="precomputed"), train @ train.T, labels)
    return model.score(test @ train.T, test_labels)


def _chosen(model: object, x: np.ndarray, y: np.ndarray) -> GridSearchCV:
    """The model with the C that does best in cross-validation on the training photos."""
    name = "C" if isinstance(model, SVC) else "svc__C"
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return GridSearchCV(model, {name: [0.1, 1, 10, 100]}, cv=folds, n_jobs=-1).fit(x, y)
