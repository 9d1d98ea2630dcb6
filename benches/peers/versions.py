"""Prints the versions of the peers, for the head of the tables."""

import platform
from importlib.metadata import version

packages = ["torch", "torchvision", "scikit-learn", "numpy", "pillow"]
print(", ".join([f"Python {platform.python_version()}"] + [f"{name} {version(name)}" for name in packages]))
