"""Initial parameters that suit the rows which a network is to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._busy import in_training
from ._checks import check_seed, check_threads
from ._data import inputs_of
from ._layers import Layers
from ._sparse import Sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

# More rows tell the deviation of a unit hardly better.
MOST_ROWS = 4000
# Rows between which a unit bends.
CORNERS = 5


class DataInit(Layers):
    """What has `init_from_data`; see `schuss.MLP`."""

    def init_from_data(self, X: Any, *, seed: int | None = None, n_threads: int | None = None) -> Self:
        """Draw weights and biases anew, each unit's for the rows that it will see.

        Layer by layer: weights are normal, divided so that over the rows each unit's weighted sum has
        deviation 1; its bias is minus a mean of that sum over five random rows, with random weights, so that
        the unit bends somewhere amid the data.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_inputs)
            The rows to learn from, as they will be given to `fit`. Of more than 4,000 a random part is taken.
        seed : int, optional
            Seed of the rows and of all numbers; None for the network's.
        n_threads : int, optional
            Workers; None for as many as the rows deserve. They do not change the bits.

        Returns
        -------
        MLP
            The network itself. What comes before its first layer (`embeddings`, `input_scale`), and alphas,
            are as they were.

        Raises
        ------
        ValueError
            If the network has a norm, which takes a layer's scale away again, if X has no rows or one that
            is not finite, or if numbers become too large; nothing has changed then.
        TypeError, ValueError
            If `X` is not accepted, as by `predict`, `seed` is negative, or `n_threads` not positive.
        RuntimeError
            While another thread trains the network.

        Notes
        -----
        The weights "std" and biases "he+5" of D. Holzmueller, L. Grinsztajn and I. Steinwart, "Better by
        Default", NeurIPS 2024, arXiv:2407.04491; the biases after I. Steinwart, "A Sober Look at Neural
        Network Initializations", 2019, arXiv:1903.11482. With h the inputs of a layer, s[j] the population
        deviation of ``h @ V[:, j]`` over the rows and V standard normal numbers::

            W[:, j] = V[:, j] / s[j]
            b[j] = -(a[0] * (h @ W)[r[0], j] + ... + a[4] * (h @ W)[r[4], j])

        where the rows r are drawn with replacement for each unit, and a are exponential numbers divided by
        their sum. A unit that sees the same number in all rows gets V / sqrt(inputs).

        Examples
        --------
        >>> import numpy as np
        >>> import schuss as sc
        >>> X = np.random.default_rng(0).normal(5, 3, size=(500, 4))
        >>> net = sc.MLP([4, 8, 1], dtype="float64").init_from_data(X)
        >>> hidden, output = net.forward_layers(X)
        >>> bool(np.allclose(hidden.z.std(axis=0), 1))
        True
        """
        seed = self.seed if seed is None else check_seed("seed", seed)
        threads = check_threads(n_threads)
        if self.norm is not None:
            got = f"norm={self.norm!r}: it takes the scale of a layer away again"
            raise ValueError(f"init_from_data is for networks without a norm, got one with {got}")
        if not self.theta.flags.writeable:
            raise ValueError("theta must be writable to be initialised, got a read-only array")
        rng = np.random.default_rng([seed, 0xDA7A])
        rows = _some(inputs_of(self._takes, X), rng)
        with in_training(self):
            before = self.theta.copy()
            try:
                for layer in range(len(self.layers) - 1):
                    self._init_layer(layer, rows, rng, threads)
            except BaseException:
                self.theta[...] = before
                raise
        return self

    def _init_layer(self, layer: int, rows: Any, rng: np.random.Generator, threads: int | None) -> None:
        """Draw one layer, of which all before are drawn."""
        weight, bias = self.named_params[f"{layer}.weight"], self.named_params[f"{layer}.bias"]
        weight[...] = rng.normal(size=weight.shape) / np.sqrt(len(weight))
        bias[...] = 0
        sums = self._made_of(rows, threads)[layer].z.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            deviations = sums.std(axis=0)
        if not np.isfinite(deviations).all():
            raise ValueError(
                f"X must be of numbers that a network can work with: layer {layer} is not finite"
            )
        # What is left of the same number in all rows is rounding.
        least = 8 * np.finfo(self.dtype).eps * np.abs(sums).max(axis=0)
        factors = 1 / np.where(deviations > least, deviations, 1)
        weight *= factors
        drawn = rng.integers(len(sums), size=(CORNERS, len(bias)))
        shares = rng.exponential(size=drawn.shape)
        means = (shares / shares.sum(axis=0) * np.take_along_axis(sums, drawn, axis=0)).sum(axis=0)
        bias[...] = -means * factors


def _some(x: NDArray[Any] | Sparse, rng: np.random.Generator) -> NDArray[Any] | Sparse:
    """At most so many rows as are needed, finite."""
    count = x.shape[0]
    if count > MOST_ROWS:
        chosen = np.sort(rng.choice(count, MOST_ROWS, replace=False))
        x = x.take(chosen) if isinstance(x, Sparse) else x[chosen]
    if count == 0 or not np.isfinite(x.data if isinstance(x, Sparse) else x).all():
        got = "no rows" if count == 0 else "NaN or infinite numbers"
        raise ValueError(f"X must be finite rows to start from, got {got}")
    return x
