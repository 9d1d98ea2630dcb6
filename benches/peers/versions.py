"""Prints the versions of the peers, or of the packages named, for the head of the tables."""

import platform
import sys
from importlib.metadata import version

packages = sys.argv[1:] or ["torch", "torchvision", "scikit-learn", "numpy", "pillow"]
print(", ".join([f"Python {platform.python_version()}"] + [f"{name} {version(name)}" for name in packages]))
