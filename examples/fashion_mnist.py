"""Classify clothes: a 784-256-128-10 network on Fashion-MNIST, to at least 88 % of the test images.

The data is not part of this repository (30 MB). Put its four files, as published, in one folder:

    train-images-idx3-ubyte.gz  train-labels-idx1-ubyte.gz
    t10k-images-idx3-ubyte.gz   t10k-labels-idx1-ubyte.gz

The Debian package dataset-fashion-mnist installs them, in the folder that is the default here.

Run: python examples/fashion_mnist.py [folder]
"""

import gzip
import sys
import time
from pathlib import Path

import numpy as np

import schuss as sc

FOLDER = Path("/usr/share/datasets/fashion-mnist")
NAMES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def read(path: Path, header: int) -> np.ndarray:
    """The bytes of an idx file after its header."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def load(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of 784 numbers from 0 to 1, and their classes from 0 to 9."""
    images = read(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    return images.astype(np.float32) / 255, read(folder / f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    try:
        X, y = load(folder, "train")
        X_test, y_test = load(folder, "t10k")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing.\n{__doc__}")

    epochs, batch = 10, 128
    steps = epochs * -(-len(X) // batch)
    net = sc.MLP([784, 256, 128, 10], activation="relu", loss="cross_entropy", seed=0)
    start = time.perf_counter()
    net.fit(
        X,
        y,
        optimizer=sc.Adam(lr=sc.schedules.cosine(1e-3, total_steps=steps)),
        batch_size=batch,
        epochs=epochs,
        progress=True,
        seed=0,
    )
    seconds = time.perf_counter() - start

    guess = net.predict(X_test).argmax(axis=1)
    print(f"\n{epochs} epochs of {len(X):,} images in {seconds:.1f} s")
    print(f"test accuracy {np.mean(guess == y_test):.4f}")
    for k, name in enumerate(NAMES):
        wrong = np.bincount(guess[(y_test == k) & (guess != k)], minlength=10)
        right = np.mean(guess[y_test == k] == k)
        print(f"  {name:<9} {right:.3f}, otherwise most often taken for {NAMES[wrong.argmax()]}")


if __name__ == "__main__":
    main()
