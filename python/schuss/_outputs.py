"""What a network makes of rows: predictions, and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import is_ready
from ._busy import TRAINING, refuse_elsewhere
from ._checks import check_seed, check_threads, word_of
from ._data import Rows, inputs_of, rows_of
from ._looks import Looks
from ._metrics import is_of_classes, labels_of, metrics_of, score_of
from ._sparse import Sparse
from ._tensors import views

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Outputs(Looks):
    """What predicts, and measures what it predicts: see `schuss.MLP`."""

    def predict(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Outputs for the rows of `X`: probabilities, rates or plain numbers, as the loss implies.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_inputs)
            The inputs.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), or (n_samples,)
            The latter with one output, unless the network was trained with targets of shape (n_samples, 1).
            Classes are what `predict_classes` gives. A row's result does not depend on the other rows.

        Raises
        ------
        TypeError, ValueError
            If `X` is no array of real numbers, has other columns than the network has inputs, or numbers
            beyond the range of its dtype; NaN and infinity are none of these. If `n_threads` is no positive
            integer.
        RuntimeError
            While another thread trains the network.
        """
        return self._outputs(X, False, n_threads)

    def logits(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Outputs for the rows of `X` before what the loss implies: softmax, sigmoid or exp.

        Parameters
        ----------
        X, n_threads
            As for `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), or (n_samples,)
            The last layer's weighted sums plus biases, shaped as `predict` shapes its own: logits with the
            loss a cross entropy, the logarithms of rates with ``"poisson"``, else what `predict` gives.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `predict`.
        """
        return self._outputs(X, True, n_threads)

    def predict_proba(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Probabilities of classes, of a network whose loss is a cross entropy.

        Parameters
        ----------
        X, n_threads
            As for `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            What `predict` gives; with one output, which is the probability of class 1, a column for each of
            the two classes. With several outputs of ``"binary_cross_entropy"`` the columns are labels, each
            with a probability of its own.

        Raises
        ------
        ValueError
            With another loss: there are no classes.
        TypeError, ValueError, RuntimeError
            As `predict`.
        """
        self._expect_classes("predict_proba")
        out = self._outputs(X, False, n_threads)
        return out if self.layers[-1] > 1 else np.column_stack([1 - out.reshape(-1), out.reshape(-1)])

    def predict_classes(self, X: Any, *, n_threads: int | None = None) -> NDArray[np.int64]:
        """Class indices, of a network whose loss is a cross entropy.

        Parameters
        ----------
        X, n_threads
            As for `predict`.

        Returns
        -------
        ndarray of int64, of shape (n_samples,) or (n_samples, n_labels)
            The most probable class; with one output 1 where its probability is at least one half, else 0.
            With several outputs of ``"binary_cross_entropy"`` that for each of the labels.

        Raises
        ------
        ValueError
            With another loss: there are no classes.
        TypeError, ValueError, RuntimeError
            As `predict`.
        """
        self._expect_classes("predict_classes")
        out = self._outputs(X, False, n_threads)
        if self.layers[-1] == 1:
            return labels_of(out.reshape(-1))
        return labels_of(out) if self.objective == "binary_cross_entropy" else out.argmax(axis=1)

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> float:
        """How good the predictions for some rows are, as one number: the more, the better.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        float
            The accuracy where the loss is a cross entropy, else R², the coefficient of determination: 1 is
            perfect, 0 no better than the mean of `y`; NaN where all of `y` is the same. With several outputs
            it is the mean over them, and with several labels the share of rows that are right in all.

        Raises
        ------
        TypeError, ValueError
            If the rows are not accepted, for which see `fit`, or there are none; if `n_threads` is no
            positive integer.
        RuntimeError
            While another thread trains the network.
        """
        rows = self._to_measure(X, y, sample_weight)
        return self._measure([score_of(self.objective)], rows, check_threads(n_threads))[0]

    def evaluate(
        self,
        X: Any,
        y: ArrayLike,
        *,
        metrics: Any = None,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> dict[str, float]:
        """The loss and some metrics of some rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        metrics : str, callable or iterable of them, optional
            As for `fit`; None for what `score` gives.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        dict of str to float
            ``"loss"``, the objective, and each metric by its name.

        Raises
        ------
        TypeError, ValueError
            If the rows are not accepted, for which see `fit`, or there are none; if a metric is unknown, is
            not for this loss, or returns no number; if `n_threads` is no positive integer.
        RuntimeError
            While another thread trains the network.

        Examples
        --------
        >>> import numpy as np
        >>> import schuss as sc
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> net = sc.MLP([1, 16, 1], activation="tanh")
        >>> history = net.fit(X, X**2, optimizer=sc.Adam(lr=0.01), batch_size=20, epochs=50)
        >>> sorted(net.evaluate(X, X**2, metrics=["mae", "r2"]))
        ['loss', 'mae', 'r2']
        """
        chosen = [score_of(self.objective)] if metrics is None else metrics_of(metrics, self.objective)
        rows = self._to_measure(X, y, sample_weight)
        loss = self._core.loss(self.theta, rows.arrays, check_threads(n_threads))
        names = [metric.name for metric in chosen]
        measured = self._measure(chosen, rows, check_threads(n_threads))
        return {"loss": loss, **dict(zip(names, measured, strict=True))}

    def loss(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> float:
        """The objective on some rows: loss and penalty, without dropout.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        float
            In the units of the loss: a mean over the rows, by their weights, but with ``"sse"`` a sum.

        Raises
        ------
        TypeError, ValueError
            If the rows are not accepted, for which see `fit`, or there are none; if `n_threads` is no
            positive integer.
        RuntimeError
            While another thread trains the network.
        """
        rows = self._to_measure(X, y, sample_weight)
        return self._core.loss(self.theta, rows.arrays, check_threads(n_threads))

    def loss_and_grads(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        dropout_seed: int | None = None,
        out: NDArray[Any] | None = None,
        n_threads: int | None = None,
    ) -> tuple[float, list[NDArray[Any]]]:
        """The objective on some rows and its gradient, for loops of one's own.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        dropout_seed : int, optional
            Seed of the dropout masks, the same for the same seed; None for no dropout.
        out : ndarray of shape (theta.size,), optional
            Where the gradient goes: contiguous, of the network's dtype. A loop over a network of millions of
            parameters is faster with one vector than with a new one in each step, whose pages the system has
            to clear first. None for a new one.
        n_threads : int, optional
            Workers; None for as many as the rows deserve.

        Returns
        -------
        loss : float
        grads : list of ndarray
            In the structure of `params`; views of one contiguous vector, ``grads[0].base``: `out`, or a new
            one.

        Raises
        ------
        TypeError, ValueError
            For rows as for `fit`; if `out` is not such a vector, cannot be written to, or shares memory with
            the parameters or the rows; if `dropout_seed` is negative, or `n_threads` not positive.
        RuntimeError
            While another thread trains the network.
        """
        rows = self._to_measure(X, y, sample_weight)
        grads = np.empty(self.theta.size, self.dtype) if out is None else self._apart(out, rows)
        seed = None if dropout_seed is None else word_of(check_seed("dropout_seed", dropout_seed))
        threads = None if n_threads is None else check_threads(n_threads)
        loss = self._core.loss_and_grads(self.theta, rows.arrays, grads, seed, threads)
        return loss, views(grads, self._places)

    def _apart(self, out: Any, rows: Rows) -> Any:
        """A vector for a gradient, apart from what that is computed from; the core sees to all else."""
        if not isinstance(out, np.ndarray):
            return out
        x = rows.x
        inputs = (x.data, x.indices, x.indptr) if isinstance(x, Sparse) else (x,)
        named = [("theta", self.theta), *(("X", array) for array in inputs)]
        for name, array in [*named, ("y", rows.targets), ("sample_weight", rows.weights)]:
            if isinstance(array, np.ndarray) and np.may_share_memory(out, array):
                raise ValueError(f"out must have memory of its own, got some of {name}'s")
        return out

    def _outputs(self, X: Any, raw: bool, n_threads: int | None) -> NDArray[Any]:
        if TRAINING:
            refuse_elsewhere(self)
        if not (type(X) is np.ndarray and X.dtype == self.dtype and X.ndim == 2 and is_ready(X)):
            X = inputs_of(self._takes, X)
        out: NDArray[Any] = self._core.predict(self.theta, X, raw, check_threads(n_threads))
        return out[:, 0] if self._flat_targets and self.layers[-1] == 1 else out

    def _to_measure(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Rows:
        if TRAINING:
            refuse_elsewhere(self)
        return rows_of(self._takes, X, y, sample_weight)

    def _expect_classes(self, method: str) -> None:
        if not is_of_classes(self.objective):
            fitting = "'cross_entropy' or 'binary_cross_entropy'"
            raise ValueError(
                f"{method} needs a loss of classes, {fitting}; this network's is {self.objective!r}"
            )
