"""What the classifier and the regressor have in common."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import validate_data

from .. import _schuss, optimizers
from .._arrays import numbers, on_lines
from .._attributes import zeros_for
from .._busy import in_training
from .._callbacks import as_list
from .._checkpoint import checkpoint_of
from .._checks import MOST
from .._peers import Peers
from .._registry import LOSSES
from .._scale import warn_of_scale
from .._schuss import LBFGS
from .._sharded import Share
from .._stop import Stop
from .._warn import warn
from ..history import History, plain, rebuilt
from ..typing import SolverName
from . import _parameters
from ._decorators import checked
from ._docs import TEXTS, document
from ._facts import facts_of
from ._full_batch import UNFINISHED, FullBatch
from ._given import LONGEST, check_given, check_parameter, naming, naming_rows, weighed_by, weights_of
from ._held_out import HeldOut
from ._listeners import Listeners
from ._mini_batches import MiniBatches
from ._network import Network
from ._optimizer_state import OptimizerState
from ._recipes import expect_lengths, lbfgs_of, optimizer_of
from ._record import Record, fresh_attributes, judges_of
from ._refusal import TRAINED_IN_PLACE, Before, with_own
from ._samples import Samples, ShardedSamples, expect_same_columns, in_shards
from ._settings import Settings
from ._tasks import CallbackSupportMixin, Tasks
from ._together import Others, check_peers, expect_all_rows, own_samples, random_state_of
from ._training import DIVERGED, NOT_FINITE, Setup
from ._watched import Watched

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]

# The relative gain of a step below which SciPy's L-BFGS-B, hence scikit-learn, is content.
SCIPYS_LEAST_GAIN = 1e7 * float(np.finfo(np.float64).eps)


class BaseMLP(Network, CallbackSupportMixin, BaseEstimator, ABC):
    """A multilayer perceptron in scikit-learn's manner."""

    # What fitting makes; most of it comes from `Record.publish`.
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    history_: History
    n_iter_: int
    t_: int
    n_layers_: int
    n_outputs_: int
    n_features_in_: int
    feature_names_in_: Array

    def _validate_params(self) -> None:
        for name, value in self.get_params(deep=False).items():
            check_parameter(self, name, value, self._parameter_constraints.get(name, ()))
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            solver = self.solver.lower() if isinstance(self.solver, str) else ""
            if solver not in {name.lower() for name in optimizers.__all__} - set(get_args(SolverName)):
                raise
            raise InvalidParameterError(f"{error} For this one give optimizer={self.solver!r}.") from None
        if self.precision is not None:
            _schuss.check_precision(self.precision)

    def __getstate__(self) -> dict[str, Any]:
        # A copy shares nothing that changes. Savers that know dicts would take the history for a plain one.
        state = with_own(super().__getstate__(), TRAINED_IN_PLACE)
        return state | {"history_": plain(self.history_)} if "history_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "history_" in state:
            state = state | {"history_": rebuilt(**state["history_"])}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What the two kinds differ in.

    @abstractmethod
    def _check_targets(self, y: Any, incremental: bool) -> tuple[Any, Array]:
        """The targets as scores want them, and as the core does; remembers what they are."""

    @abstractmethod
    def _weights(
        self, y: Any, sample_weight: Array | None, incremental: bool, others: Others | None = None
    ) -> Array | None:
        """The weights of rows."""

    @abstractmethod
    def _score(self, out: Array, targets: Array, sample_weight: Array | None) -> float:
        """What `score` returns, from outputs and targets as the core has them: no checks in each epoch."""

    def _score_is_defined(self, held_out: Samples) -> bool:
        """Whether that says anything about these rows."""
        return True

    # Fitting.

    @checked
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: Any = None,
        checkpoint_every: float | None = None,
        resume: bool = False,
        comm: Any = None,
    ) -> Self:
        """Fit the model, from the start or where it is (`warm_start`).

        Parameters
        ----------
        %(fit)s
        %(held_out)s
        %(checkpoint)s

        %(fit_ends)s
        """
        validation, saving = (X_val, y_val, sample_weight_val), (checkpoint, checkpoint_every, resume)
        return self._fit(X, y, sample_weight, validation=validation, saving=saving, peers=comm)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        incremental: bool = False,
        validation: Any = (None, None, None),
        saving: Any = (None, None, False),
        peers: Peers | None = None,
        classes: Any = None,
    ) -> Any:
        with in_training(self), Before(self) as before:
            if incremental:
                self._begin_piece(y, classes)
            first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
            self._check_watchers()
            lbfgs = lbfgs_of(self)
            check_peers(self, peers, lbfgs)
            samples, held_out = self._take((X, y, sample_weight), validation, incremental, first, peers)
            X, self.n_outputs_ = samples.X, self._n_outputs(samples.targets)
            layers = self._layers(X.shape[1])
            core = self._make_core(layers)
            leads = peers is None or peers.rank == 0
            if first and leads:
                some, near = samples.some
                warn_of_scale(some, near if LOSSES[self._objective().name].targets == "numbers" else None)
            checkpoint = checkpoint_of(*saving)
            facts, saved = {}, None
            if checkpoint is not None or peers is not None:
                facts = facts_of(self, layers, samples, held_out)
            if checkpoint is not None:
                checkpoint.kind, checkpoint.facts = f"{type(self).__name__}.fit", facts
                saved = checkpoint.load()
                if saved is not None:
                    checkpoint.expect_done("max_iter", int(self.max_iter), len(saved["epochs"]))
            # The solver "lbfgs" learns from all rows, here as in scikit-learn.
            stops_early = self.early_stopping and (
                held_out is not None or lbfgs is None or self.optimizer is not None
            )
            random_state = random_state_of(self, peers, facts, checkpoint is not None)
            theta = self._start(first, core, layers, X.dtype, stops_early, random_state)
            if saved is not None:
                self._seed = saved["randomness"]["seed"]
                self._split_state.set_state(saved["randomness"]["split"])
            self.coefs_, self.intercepts_ = _parameters.split(theta, core.tensors())
            tasks = None if incremental else Tasks(self, X, samples.y, sample_weight, self.max_iter)
            if stops_early and held_out is None:
                samples, held_out = self._split(samples, weighed_by(self, sample_weight))
            setup = self._set_up(
                core, theta, samples, held_out, stops_early, tasks, peers, incremental, before
            )
            if checkpoint is not None:
                randomness = {"seed": self._seed, "split": self._split_state.get_state(legacy=False)}
                saving_here = checkpoint if leads else None
                setup = setup._replace(saved=saved, randomness=randomness, checkpoint=saving_here)
            if lbfgs is not None:
                self._descend(setup, lbfgs, before)
            else:
                self._train(setup, None if incremental else min(int(self.max_iter), MOST), before)
            if tasks is not None:
                tasks.end()
            if not np.isfinite(theta).all():
                raise ValueError(NOT_FINITE)
            return self

    def _begin_piece(self, y: Any, classes: Any) -> None:
        """Look at what `partial_fit` is given, and refuse what needs an end of the training."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        expect_lengths(self)

    def _take(
        self, given: Any, validation: Any, incremental: bool, first: bool, peers: Peers | None
    ) -> tuple[Any, Any]:
        """Rows to learn from, and those to watch where any are given."""
        samples: Samples | ShardedSamples
        if self.sharded and peers is not None:
            samples = own_samples(self, given, first, peers)
        else:
            X, y, targets = self._check_rows(given[0], given[1], incremental, first)
            weights = self._check_weights(given[2], X, y, incremental)
            samples = Samples(X, targets, y, weights, given[2] is not None)
            if self.sharded:
                every = Share.every(self.n_shards, self._most_rows())
                samples = in_shards(samples, samples.n_rows, every, None)
        return samples, self._check_validation(samples.X.dtype, *validation)

    def _set_up(
        self,
        core: _schuss.Network,
        theta: Array,
        samples: Samples,
        held_out: Samples | None,
        stops_early: bool,
        tasks: Tasks | None,
        peers: Peers | None,
        incremental: bool,
        before: Before,
    ) -> Setup:
        """What a training works with in place of this estimator."""
        if held_out is not None:
            expect_same_columns(samples, held_out)
        settings = Settings.of(self, stops_early, peers is None or peers.rank == 0, incremental)
        decides = settings.stops_early or settings.restores_best
        judges = judges_of(self, samples, held_out, settings) if decides else None
        afresh = decides and judges != getattr(self, "_judges", judges)
        self._judges = judges
        threads = self._most_threads(peers)
        return Setup(
            core=core,
            theta=theta,
            samples=samples,
            held_out=None if held_out is None else self._watch(held_out, decides, threads),
            start=before.start,
            settings=settings,
            record=Record(self, samples.n_rows, held_out is not None, afresh),
            listeners=Listeners(self, settings.callbacks, tasks),
            peers=peers,
            all_rows=samples.n_rows if self.sharded and peers is not None else None,
        )

    def _watch(self, held_out: Any, decides: bool, threads: int) -> Any:
        """Who looks at held-out rows."""
        if isinstance(held_out, ShardedSamples):
            if self.scoring in (None, "loss"):
                return Watched(self, held_out.pieces, decides, threads)
            expect_all_rows(self, held_out.peers)
            held_out = held_out.here
        return HeldOut(self, held_out, decides, threads)

    def _check_watchers(self) -> None:
        """Refuse before the training what would be called only in it."""
        as_list(self.callbacks)
        if self.scoring not in (None, "loss"):
            check_scoring(self, self.scoring)

    def _check_rows(
        self, X: Any, y: Any, incremental: bool, first: bool, dtype: Any = None
    ) -> tuple[Any, Any, Array]:
        """Rows as they must be: in their own precision at first, in the model's when its training goes on."""
        X, y = self._validated(X, y, first, dtype)
        return X, *self._targets(y, X.dtype, incremental)

    def _validated(self, X: Any, y: Any, first: bool, dtype: Any = None) -> tuple[Any, Any]:
        """Inputs as they must be, and targets as scikit-learn would have them."""
        if dtype is None:
            dtype = _parameters.dtypes(self.precision, None if first else self)
        check_given(X=X)
        check_given(y=y, dates=is_classifier(self))
        with naming_rows(X, y):
            checked: tuple[Any, Any] = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr"],
                multi_output=True,
                y_numeric=not is_classifier(self),
                dtype=dtype,
                order="C",
                reset=first,
            )
        return checked

    def _targets(self, y: Any, dtype: Any, incremental: bool) -> tuple[Any, Array]:
        """Targets as scores want them, and as the core does."""
        y, targets = self._check_targets(y, incremental)
        if targets.dtype != np.uint32:
            # Numbers may be written as text, in y as in X.
            try:
                wide = targets if targets.dtype.kind in "fiub" else targets.astype(np.float64)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"y must be numbers: {str(error)[:LONGEST]}") from error
            targets = numbers("y", wide, dtype)
            targets = targets[:, None] if targets.ndim == 1 else targets
        return y, targets

    def _check_weights(
        self, sample_weight: Any, X: Any, y: Any, incremental: bool, others: Others | None = None
    ) -> Array | None:
        if sample_weight is not None:
            sample_weight = weights_of("sample_weight", sample_weight, X, may_be_zero=others is not None)
        weights = self._weights(y, sample_weight, incremental, others)
        if weights is None:
            return None
        names = weighed_by(self, sample_weight)
        weights = numbers(names, weights, np.dtype(np.float64))
        # The penalty is divided by them.
        with np.errstate(over="ignore"):  # no penalty is divided by too much
            most, least = float(np.finfo(X.dtype).max), float(weights.sum())
        least = least if others is None else others.total(least)
        if others is not None and not least > 0:
            raise ValueError(f"{names} must leave some weight to the rows, got none")
        if self.alpha > 0 and least < self.alpha / most:
            raise ValueError(
                f"{names} must not be so small that alpha ({self.alpha:g}) divided by their sum is "
                f"beyond {X.dtype}, got a sum of {least:g}"
            )
        return weights

    def _check_validation(self, dtype: Any, X: Any, y: Any, sample_weight: Any) -> Samples | None:
        if X is None and y is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val is given, but X_val and y_val are not")
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val must be given both, or neither")
        with naming("X_val and y_val"):
            X, y, targets = self._check_rows(X, y, True, False, dtype)
        if sample_weight is not None:
            sample_weight = weights_of("sample_weight_val", sample_weight, X)
        return Samples(X, targets, y, sample_weight, sample_weight is not None)

    def _start(
        self,
        first: bool,
        core: _schuss.Network,
        layers: list[int],
        dtype: Any,
        stops_early: bool,
        random_state: Any,
    ) -> Array:
        """The parameters to begin with, in memory of their own."""
        if not hasattr(self, "_seed") or first:
            # In scikit-learn's order: first the weights are drawn, then the rows that are held out.
            random = check_random_state(random_state)
            self._random_state = random
            if first:
                zeros_for("hidden_layer_sizes", layers[1:-1], core.n_params, np.dtype(np.float64))
                names = self._initial_activations(len(layers) - 2)
                theta = _parameters.initial(core.tensors(), names, random, dtype)
            self._split_state = copy.deepcopy(random)
            self._seed = int(random.randint(2**63, dtype=np.uint64))
            self._epochs = 0
            # As scikit-learn calls it.
            self._optimizer = OptimizerState()
        # Parameters to continue from may have come from elsewhere, without their history.
        for name, value in fresh_attributes(stops_early).items():
            if first or not hasattr(self, name):
                setattr(self, name, value)
        # A fit that continues does so with the options of now.
        self.out_activation_ = self._objective().link
        self._activations = self._hidden_activations(len(layers) - 2)
        if not first:
            present, old = _parameters.of_model(self)
            if old != layers:
                raise ValueError(f"a fit that continues must have the layers {old} as before, got {layers}")
            return on_lines(present, dtype)
        self.n_layers_ = len(layers)
        return theta

    def _split(self, data: Any, names: str) -> tuple[Any, Any]:
        """Hold rows out, the same ones whenever the fit continues."""
        # scikit-learn stratifies two classes, and only these.
        stratifies = is_classifier(self) and self.n_outputs_ == 1
        random = copy.deepcopy(self._split_state)
        parts: tuple[Any, Any] = data.split(self.validation_fraction, random, stratifies=stratifies)
        if parts[1].n_rows < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        for part, name in zip(parts, ("that are learnt", "that early_stopping holds out"), strict=True):
            if not part.counts():
                raise ValueError(
                    f"{names} must leave some weight to the rows {name}, got zero for all of them: "
                    "change validation_fraction or random_state, or give rows to validate with"
                )
        return parts

    def _train(self, setup: Setup, most: int | None, before: Before) -> None:
        """Mini-batches; ends where scikit-learn's training does, and warns where that does.

        None for the most epochs is one pass, after which any number may follow.
        """
        epochs = 1 if most is None else most
        rows = setup.samples.n_rows
        batch_size = self._batch_size(rows)
        if batch_size > rows:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            )
            batch_size = rows
        tensors = [part for pair in zip(self.coefs_, self.intercepts_, strict=True) for part in pair]
        named = dict(zip((tensor.name for tensor in setup.core.tensors()), tensors, strict=True))
        recipe, schedule = optimizer_of(self)
        gradients = None if most is None else epochs * -(-rows // batch_size)
        optimizer = self._optimizer.resume(recipe, named, schedule, self.clip_norm, gradients)
        threads = self.n_threads, self._most_threads(setup.peers)
        training = MiniBatches(setup, optimizer, self._optimizer, batch_size, threads)
        training.begin(epochs)
        before.is_over()
        training.run(epochs)
        if setup.peers is not None and setup.peers.rank > 0:
            return
        if training.stopped is Stop.INTERRUPTED:
            warn("Training interrupted by user.")
        elif training.stopped is Stop.NOT_FINITE and np.isfinite(setup.theta).all():
            warn(DIVERGED.format(self.n_iter_), ConvergenceWarning)
        elif training.stopped is Stop.EPOCHS and most is not None:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                "hasn't converged yet.",
                ConvergenceWarning,
            )

    def _descend(self, setup: Setup, recipe: LBFGS, before: Before) -> None:
        """All rows at once; ends where scikit-learn's does, and warns where that does."""
        least_gain = SCIPYS_LEAST_GAIN if self.optimizer is None else 0.0
        # Each evaluation wakes the workers: they pay with fewer rows in a training, where they stay awake.
        threads = self._most_threads()
        if self.n_threads is None:
            threads = min(setup.core.workers(max(setup.samples.X.shape[0] * 3 // 20, 1)), threads)
        training = FullBatch(setup, recipe, self.coefs_, self.max_fun, least_gain, threads)
        most = int(self.max_iter)
        training.begin(most)
        before.is_over()
        training.run(most)
        if training.stopped is Stop.INTERRUPTED:
            warn("Training interrupted by user.")
        elif training.stopped in UNFINISHED:
            warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s): "
                f"{UNFINISHED[training.stopped]}.\nIncrease max_iter or max_fun, or scale the data.",
                ConvergenceWarning,
            )

    def _batch_size(self, rows: int) -> int:
        return min(self._most_rows(), rows) if self.batch_size == "auto" else int(self.batch_size)

    def _most_rows(self) -> int:
        """Of a batch, however many there are in all."""
        return 200 if self.batch_size == "auto" else int(self.batch_size)


document(BaseMLP, TEXTS, "fit")
