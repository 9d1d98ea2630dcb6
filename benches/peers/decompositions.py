"""Principal components of rows in float64 by somebody else's hand: a peer of `cargo xtask bench statistics`.

    decompositions.py METHOD ROWS_FILE ROWS COLUMNS VARIANCES_FILE THREADS COMPONENTS

ROWS_FILE holds little-endian float64 row by row. The variances of the components go to VARIANCES_FILE, all
that the method found. Prints one JSON object with `seconds`. COMPONENTS is for the methods that must be told
their number; the others keep 97 % of the variance.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

RATIO = 0.97
# A second run is no longer slowed down by first touches of memory; of a long one that is nothing.
LONG_SECONDS = 5.0


def by_torch_svd(x: np.ndarray, components: int) -> np.ndarray:
    """A thin SVD of the centred rows, as anomalib's PCA."""
    rows = torch.from_numpy(x)
    _, singular, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
    return (singular**2 / (len(x) - 1)).numpy()


def by_torch_gram(x: np.ndarray, components: int) -> np.ndarray:
    """Eigenvectors of the rows' inner products, and every direction of them."""
    rows = torch.from_numpy(x)
    centred = rows - rows.mean(dim=0)
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    # The mean takes one direction away.
    values, vectors = values.flip(0)[:-1], vectors.flip(1)[:, :-1]
    directions = (vectors / values.sqrt()).T @ centred
    assert directions.shape == (len(x) - 1, x.shape[1])
    return (values / (len(x) - 1)).numpy()


def by_sklearn(solver: str):
    def fit(x: np.ndarray, components: int) -> np.ndarray:
        count = components if solver == "randomized" else RATIO
        return PCA(n_components=count, svd_solver=solver, random_state=0).fit(x).explained_variance_

    return fit


def by_incremental(x: np.ndarray, components: int) -> np.ndarray:
    """In batches of as many rows as components, or of 100 if those are fewer: what bounds its memory."""
    return IncrementalPCA(n_components=components, batch_size=max(components, 100)).fit(x).explained_variance_


METHODS = {
    "torch-svd": by_torch_svd,
    "torch-gram": by_torch_gram,
    "full": by_sklearn("full"),
    "randomized": by_sklearn("randomized"),
    "covariance-eigh": by_sklearn("covariance_eigh"),
    "incremental": by_incremental,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=list(METHODS))
    parser.add_argument("input", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("columns", type=int)
    parser.add_argument("output", type=Path)
    parser.add_argument("threads", type=int)
    parser.add_argument("components", type=int)
    flags = parser.parse_args()
    if flags.method.startswith("torch"):
        import torch

        torch.set_num_threads(flags.threads)
    else:
        from sklearn.decomposition import PCA, IncrementalPCA
    x = np.fromfile(flags.input, dtype="<f8", count=flags.rows * flags.columns)
    x = x.reshape(flags.rows, flags.columns)
    for _ in range(2):
        start = time.perf_counter()
        variances = METHODS[flags.method](x, flags.components)
        seconds = time.perf_counter() - start
        if seconds > LONG_SECONDS:
            break
    np.asarray(variances, dtype="<f8").tofile(flags.output)
    print(json.dumps({"seconds": seconds}))
