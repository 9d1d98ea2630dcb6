"""Principal components at a ratio of 0.97 and the reconstruction errors of the same rows, in float64.

Peer of `cargo xtask bench alone decompose`: the same matrix, number for number. Prints one JSON object with
`components`, `mean_score` and `import_seconds`.
"""

import argparse
import json
import time

start = time.perf_counter()
import numpy as np  # noqa: E402


def matrix(rows: int, columns: int) -> np.ndarray:
    """The integer generator of dfm-backbone (SplitMix64 of seed 0), scaled down from row to row."""
    with np.errstate(over="ignore"):
        z = np.arange(1, rows * columns + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return unit.reshape(rows, columns) / (1 + np.arange(rows))[:, None]


def by_numpy(x: np.ndarray) -> tuple[int, np.ndarray]:
    """A thin SVD of the centred rows."""
    centred = x - x.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    kept = directions[: np.searchsorted(share, 0.97, side="left") + 1]
    residual = centred - (centred @ kept.T) @ kept
    return len(kept), (residual**2).sum(axis=1)


def by_sklearn(x: np.ndarray) -> tuple[int, np.ndarray]:
    """scikit-learn's PCA with its default solver."""
    pca = PCA(n_components=0.97)
    rebuilt = pca.inverse_transform(pca.fit_transform(x))
    return int(pca.n_components_), ((x - rebuilt) ** 2).sum(axis=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", required=True, help="ROWSxCOLUMNS")
    parser.add_argument("--method", choices=["numpy", "scikit-learn"], required=True)
    flags = parser.parse_args()
    if flags.method == "scikit-learn":
        from sklearn.decomposition import PCA
    import_seconds = time.perf_counter() - start
    rows, columns = map(int, flags.shape.split("x"))
    method = by_numpy if flags.method == "numpy" else by_sklearn
    components, scores = method(matrix(rows, columns))
    print(json.dumps({"components": components, "mean_score": scores.mean(), "import_seconds": import_seconds}))
