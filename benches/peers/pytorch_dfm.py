"""The same method by PyTorch, torchvision and scikit-learn, as a program to be timed from start to exit.

    pytorch_dfm.py features DIR    pooled features of every picture in DIR
    pytorch_dfm.py fit DIR         the same, then principal components and reconstruction errors

Peer of `dfm features` and `dfm fit` with `--backbone resnet50 --weights random`: ResNet-50 to the tapped
layer, random weights (speed does not depend on their values), pictures resized to 256 x 256. Pictures are
read in the same process unless --workers says otherwise: the peak memory of one process is what is compared,
and where every core computes, reading ahead gains little. Prints one JSON object with `import_seconds`.
"""

import argparse
import json
import time
from pathlib import Path

start = time.perf_counter()
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision import models, transforms  # noqa: E402

PREPARE = transforms.Compose(
    [
        transforms.Resize((256, 256), antialias=True),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


class Pictures(torch.utils.data.Dataset):
    """Every file below a folder, decoded and prepared."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(path for path in folder.rglob("*") if path.is_file())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as picture:
            return PREPARE(picture.convert("RGB"))


def backbone(layer: str) -> torch.nn.Sequential:
    """ResNet-50 up to and with `layer`, for inference."""
    torch.manual_seed(0)
    network = models.resnet50(weights=None)
    names = [name for name, _ in network.named_children()]
    kept = names[: names.index(layer) + 1]
    return torch.nn.Sequential(*(getattr(network, name) for name in kept)).eval()


@torch.inference_mode()
def features(flags: argparse.Namespace) -> np.ndarray:
    """One row a picture: the feature map, average-pooled and flattened."""
    network = backbone(flags.layer)
    pictures = Pictures(flags.folder)
    batches = torch.utils.data.DataLoader(pictures, batch_size=flags.batch, num_workers=flags.workers)
    rows = [torch.nn.functional.avg_pool2d(network(batch), flags.pool).flatten(1) for batch in batches]
    return torch.cat(rows).numpy()


def components(rows: np.ndarray) -> int:
    """Fits at a ratio of 0.97 and scores the rows."""
    from sklearn.decomposition import PCA

    rows = rows.astype(np.float64)
    pca = PCA(n_components=0.97)
    rebuilt = pca.inverse_transform(pca.fit_transform(rows))
    scores = ((rows - rebuilt) ** 2).sum(axis=1)
    assert np.isfinite(scores).all()
    return int(pca.n_components_)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["features", "fit"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layer", default="layer3")
    parser.add_argument("--pool", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that read ahead")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    report = {}
    if flags.task == "fit":
        import sklearn.decomposition  # noqa: F401
    report["import_seconds"] = time.perf_counter() - start
    rows = features(flags)
    report["shape"] = list(rows.shape)
    if flags.task == "fit":
        report["fitted_components"] = components(rows)
    print(json.dumps(report))
