"""What each layer of a network makes of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ._attributes import Attributes
from ._busy import TRAINING, refuse_elsewhere
from ._checks import check_threads
from ._data import inputs_of
from ._sparse import Sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LayerOutputs(NamedTuple):
    """What a layer makes of rows, as `MLP.forward_layers` gives it.

    Attributes
    ----------
    name : str
        The layer's number, as in `MLP.named_params`: ``"0"``.
    z : ndarray of shape (n_samples, width)
        The preactivations: weighted sums plus biases, normalised where the layer has a norm.
    a : ndarray of shape (n_samples, width)
        The activations; of the last layer the outputs, as `MLP.predict` gives them.
    """

    name: str
    z: NDArray[Any]
    a: NDArray[Any]


class Layers(Attributes):
    """What has `forward_layers`; see `schuss.MLP`."""

    def forward_layers(self, X: Any, *, n_threads: int | None = None) -> list[LayerOutputs]:
        """Forward propagation with all that lies between inputs and outputs, without dropout.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_inputs)
            The inputs.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        list of LayerOutputs
            For each layer, from the first hidden one to the output, its `name`, its preactivations `z` and
            its activations `a`, to the same bits as `predict` computes them: views of one new array.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `MLP.predict`.

        Examples
        --------
        >>> import numpy as np
        >>> import schuss as sc
        >>> net = sc.MLP([2, 3, 1], activation="relu", seed=0)
        >>> X = np.array([[1.0, -1.0], [0.5, 2.0]])
        >>> hidden, output = net.forward_layers(X)
        >>> bool((hidden.a == np.maximum(hidden.z, 0)).all())
        True
        >>> bool((output.a[:, 0] == net.predict(X)).all())
        True
        """
        if TRAINING:
            refuse_elsewhere(self)
        return self._made_of(inputs_of(self._takes, X), check_threads(n_threads))

    def _made_of(self, x: NDArray[Any] | Sparse, threads: int | None) -> list[LayerOutputs]:
        out = self._core.layers(self.theta, x, threads)
        layers, end = [], 0
        for number, width in enumerate(self.layers[1:]):
            z, a = (out[:, start : start + width] for start in (end, end + width))
            layers.append(LayerOutputs(str(number), z, a))
            end += 2 * width
        return layers
