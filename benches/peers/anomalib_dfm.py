"""anomalib's own `fit` of its DFM model, as a program to be timed from start to exit.

    anomalib_dfm.py DIR --backbone resnet50

Peer of `dfm fit` with `--weights random`: the network to layer3 with random weights (speed does not depend on
their values), pool 4, pictures of 256 x 256, one epoch through anomalib's engine on the processor. There are
good pictures alone, so that nothing is validated; `dfm fit` holds some out for its threshold and does more.
Prints one JSON object with `import_seconds`.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

start = time.perf_counter()
# Nothing is to be sent or fetched.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch  # noqa: E402
from anomalib.data import Folder  # noqa: E402
from anomalib.engine import Engine  # noqa: E402
from anomalib.models import Dfm  # noqa: E402


def fit(flags: argparse.Namespace, results: str) -> Dfm:
    """The model after one epoch."""
    pictures = Folder(
        name="pictures",
        normal_dir=flags.folder.resolve(),
        train_batch_size=flags.batch,
        num_workers=flags.workers,
        test_split_mode="none",
        val_split_mode="none",
    )
    model = Dfm(backbone=flags.backbone, layer="layer3", pre_trained=False, pooling_kernel_size=4)
    engine = Engine(
        accelerator="cpu", default_root_dir=results, enable_progress_bar=False, limit_val_batches=0
    )
    engine.fit(model=model, datamodule=pictures)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch", type=int, default=32, help="anomalib's own default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that read ahead")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    import_seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as results:
        model = fit(flags, results)
    kept = model.model.pca_model.num_components
    assert int(kept) > 0
    print(json.dumps({"import_seconds": import_seconds, "fitted_components": int(kept)}))
