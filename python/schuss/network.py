"""The multilayer perceptron and its trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _schuss
from ._attributes import check_dropout, check_outputs, precision_of, rates_of, zeros_for
from ._averages import check_averaged
from ._busy import TRAINING, in_training, refuse_elsewhere
from ._callbacks import TrainingInfo, as_list, teller
from ._checkpoint import checkpoint_of
from ._checks import (
    check_count,
    check_dtype,
    check_flag,
    check_name,
    check_number,
    check_seed,
    check_sequence,
)
from ._data import Blocks, Rows, source_of, steps_of
from ._data_init import DataInit
from ._early_stopping import early_stopping_of, held_out
from ._facts import facts_of, form_of
from ._lengths import OpenSchedules, longer, open_schedules, steps_made
from ._metrics import metrics_of
from ._network_file import Saved
from ._network_state import checked_state, checked_theta, expect_writable, plain_state
from ._outputs import Outputs
from ._peers import peers_of
from ._recipe_data import with_arrays, without_arrays
from ._registry import ACTIVATION_ALIASES, LOSS_ALIASES, LOSSES
from ._run import Run
from ._run_state import begin
from ._scale import warn_of_scale
from ._schuss import LBFGS, Schedule
from ._settings import check_lbfgs, settings_of
from ._steps import Steps
from ._stop import Stop
from ._summary import Summary, summary_of
from ._tensors import initialise, per_layer
from ._watch import Watch
from .embeddings import categories, embeddings_of
from .history import History, progress_bar
from .optimizers import recipe_or_lbfgs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .embeddings import Embedding
    from .optimizers import Optimizer
    from .typing import ActivationName, DTypeName, LossName, NormName, OptimizerName, PrecisionName

__all__ = ["MLP", "TrainingInfo"]


Callback = Callable[[TrainingInfo], object]


class MLP(Outputs, DataInit, Saved):
    """A multilayer perceptron: dense layers with an activation between them, trained in parallel Rust.

    Parameters
    ----------
    layers : sequence of int
        The widths of all layers, from inputs to outputs: ``[784, 256, 128, 10]``.
    activation : str or sequence of str, default "relu"
        The activation of the hidden layers, or one for each of them: one of `schuss.ACTIVATIONS`, or
        ``"swish"`` for silu, ``"linear"`` for identity, ``"logistic"`` for sigmoid. The output layer has none
        but what the loss implies.
    loss : str, default "mse"
        What is minimised, one of `schuss.LOSSES`; ``"squared_error"``, ``"absolute_error"`` and ``"l1"`` are
        other names of mse, mae and mae. It also says what the outputs mean: ``"cross_entropy"``
        makes them class probabilities (softmax), ``"binary_cross_entropy"`` probabilities (sigmoid),
        ``"poisson"`` rates (exp); with all others they are plain numbers. ``"sse"`` is a sum over rows and
        outputs, all others are means.
    dtype : {"float32", "float64"}, default "float32"
        Type of the parameters, and of all other numbers.
    seed : int, default 0
        Seed of the initial weights, and of shuffling and dropout where `fit` is given none.
    l2 : float, default 0.0
        Strength of the penalty ``l2 / 2 * sum of squared weights``, which is part of the objective. Biases,
        gains and shifts are free.
    dropout : float, Schedule, or sequence of them, default 0.0
        The share of the hidden layers' outputs, or of each hidden layer's, that training sets to zero. A
        schedule (``schuss.schedules.flat_cos(0.15)``) counts the steps of each `fit`.
    label_smoothing : float, default 0.0
        With the loss a cross entropy, the share of each label that is spread evenly over all labels while
        learning, at least 0 and below 1 (Szegedy et al. 2016): targets y become ``(1 - share) * y + share /
        n_classes``, with ``"binary_cross_entropy"`` ``(1 - share) * y + share / 2``. Of these are the
        history's ``"loss"`` and `loss_and_grads`; ``"val_loss"``, metrics and `loss` are of labels as given.
    norm : {"layer", "rms"}, optional
        What is done to the rows of every hidden layer between its product and its activation. ``"layer"``
        brings each row to mean 0 and variance 1, then multiplies each column with its gain and adds its shift
        (layer normalisation, Ba, Kiros and Hinton 2016). ``"rms"`` divides each row by its root mean square,
        then multiplies with the gains; there are no shifts (Zhang and Sennrich 2019). Both add 1e-5 below
        the root.
    embeddings : sequence of schuss.embeddings.Periodic, PiecewiseLinear and Category, default ()
        What columns of X become before the first layer: numbers get waves or broken lines, categories rows of
        tables that are learnt. What they make comes first, in order, then all other columns. X must be dense.
    input_scale, parametric : bool, default False
        Whether each number that goes into the first layer has a factor that is learnt, which with a rate of
        its own (``"input.scale"``) soon tells the columns that matter; and whether each hidden unit learns
        how much of its activation it takes, ``z + alpha (act(z) - z)``, alpha from 1 (arXiv:2407.04491).
    precision : {"float32", "float64", "bfloat16"}, optional
        What products of matrices are computed with: None for `dtype`. ``"bfloat16"``, for float32, rounds
        their factors (inputs, activations, weights and the gradients by them) to 8 significant bits, to
        nearest even, and adds in float32, on a processor with AVX512_BF16; elsewhere it is refused. It takes
        less time on AMD, and more on Intel without AMX. See the notes.

    Attributes
    ----------
    theta : ndarray of shape (n_params,)
        All parameters, one contiguous vector; what it is set to is copied into it.
    params : list of ndarray
        ``[W1, b1, W2, b2, ...]``, views of `theta`, to be written into: ``net.params[0][:] = W``. W is
        (inputs, outputs). With `norm` each hidden layer's
        gains, and with ``"layer"`` its shifts, follow its biases, and with `parametric` its alphas. Those of
        `embeddings` and `input_scale` come before all others.
    named_params : dict of str to ndarray
        The same views in the same order by name: ``"input.0.table"`` and the like, ``"input.scale"``,
        ``"0.weight"``, ``"0.bias"``, ``"0.gain"``, ``"0.shift"``, ``"0.alpha"``, ``"1.weight"`` and so on.
    l2, dropout, label_smoothing, precision : float, list of float or Schedule, float, str
        As given; what they are set to holds from the next epoch on.
    layers, activations, norm, embeddings, input_scale, parametric, objective, dtype, seed
        What the network was made with; they stay.
    optimizer : Optimizer, LBFGS or None
        The optimizer of the last `fit`, with its state.
    history : History or None
        The record of the last `fit`, also of one that was interrupted.

    Raises
    ------
    TypeError, ValueError
        If an argument is not accepted, or some do not go together, such as ``"cross_entropy"`` and one
        output. So it is with attributes that are set.
    AttributeError
        If an attribute is set that stays, or that there is not.
    MemoryError
        If the parameters do not fit in memory.

    Notes
    -----
    Initial weights are uniform, with variance 2 / inputs before activations of the ReLU family (He et al.
    2015), 1 / inputs before SELU (LeCun et al. 1998) and 2 / (inputs + outputs) otherwise (Glorot and Bengio
    2010); biases and shifts start at zero, gains at one. `init_from_data` draws them for given rows.

    The same seed gives bit-identical parameters for every number of threads.

    With ``precision="bfloat16"`` parameters, activations, sums, losses, norms, biases and the optimizer stay
    float32, and products with sparse inputs do. Bits may differ between kinds of processors. A network that
    was made with it can be loaded, read and exported on a machine without; to compute there is a ValueError
    until ``net.precision = "float32"``.

    Examples
    --------
    >>> import numpy as np
    >>> import schuss as sc
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> y = X[:, 0] ** 2
    >>> net = sc.MLP([1, 16, 1], activation="tanh")
    >>> history = net.fit(X, y, optimizer=sc.Adam(lr=0.01), batch_size=20, epochs=100)
    >>> net.loss(X, y) < 0.01
    True
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        activation: ActivationName | Sequence[ActivationName] = "relu",
        loss: LossName = "mse",
        dtype: DTypeName | type[np.floating[Any]] | np.dtype[Any] = "float32",
        seed: int = 0,
        l2: float = 0.0,
        dropout: float | Schedule | Sequence[float | Schedule] = 0.0,
        label_smoothing: float = 0.0,
        norm: NormName | None = None,
        embeddings: Embedding | Sequence[Embedding] = (),
        input_scale: bool = False,
        parametric: bool = False,
        precision: PrecisionName | None = None,
        _l2_per_weight: bool = False,
    ) -> None:
        widths = check_sequence("layers", layers, "integers, the widths from inputs to outputs")
        widths = [check_count("layers", width) for width in widths]
        name = check_name("loss", loss, LOSSES)
        objective = LOSS_ALIASES.get(name, name)
        check_outputs(objective, widths)
        hidden = max(len(widths) - 2, 0)
        self.__dict__.update(
            layers=widths,
            activations=[
                ACTIVATION_ALIASES.get(name, name)
                for name in per_layer("activation", activation, hidden, str)
            ],
            dropout=rates_of(dropout, hidden),
            norm=None if norm is None else check_name("norm", norm, ["None", *_schuss.NORMS]),
            embeddings=embeddings_of(embeddings),
            input_scale=check_flag("input_scale", input_scale),
            parametric=check_flag("parametric", parametric),
            objective=objective,
            l2=check_number("l2", l2),
            label_smoothing=check_number("label_smoothing", label_smoothing),
            dtype=check_dtype(dtype),
            precision=precision_of(precision, check_dtype(dtype)),
            seed=check_seed("seed", seed),
            _l2_per_weight=_l2_per_weight,
            optimizer=None,
            history=None,
            _epochs_done=0,
            _flat_targets=True,
        )
        _schuss.check_precision(self.precision)
        self._core = self._make_core()
        self.__dict__["theta"] = zeros_for("layers", widths, self._core.n_params, self.dtype)
        self._derive()
        initialise(self.named_params, self._core.tensors(), np.random.default_rng(self.seed))

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        optimizer: Optimizer | LBFGS | OptimizerName | None = None,
        batch_size: int | Literal["auto"] | None = "auto",
        n_shards: int = 1,
        sharded: bool = False,
        comm: Any = None,
        epochs: int = 10,
        validation_data: tuple[Any, ...] | None = None,
        validation_split: float | None = None,
        early_stopping: bool = False,
        patience: int = 10,
        restore_best: bool | None = None,
        averaged: bool = False,
        metrics: Any = (),
        record: Literal["epoch", "step"] = "epoch",
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        target_loss: float | None = None,
        callbacks: Callback | Iterable[Callback] = (),
        progress: bool = False,
        max_time: float | None = None,
        n_threads: int | None = None,
        seed: int | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float | None = None,
        resume: bool = False,
    ) -> History:
        """Train the parameters, from where they are.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_inputs), or a source of blocks
            The inputs. Used as it is where it is C-contiguous and of the network's dtype (a `numpy.memmap` is
            then never read whole), else copied once; it must not be changed meanwhile. A sparse matrix stays
            sparse (CSR) and is trained with to the same bits as with its zeros. Data that does not fit
            in memory comes from `schuss.blocks`, as an object with ``n_blocks`` and ``read(i) -> (X, y)`` or
            ``(X, y, weight)``, or as a callable without arguments that returns a new iterator over such
            blocks, which are taken as they come.
        y : array of shape (n_samples,) or (n_samples, n_outputs), optional
            The targets: class indices for ``"cross_entropy"``, 0 to 1 for ``"binary_cross_entropy"``, counts
            for ``"poisson"``, else any numbers. None where X is a source of blocks.
        optimizer : Optimizer, LBFGS or str, optional
            A recipe such as ``schuss.Adam(lr=1e-3)``, or a name: starts with fresh state. Groups select from
            `named_params`: ``schuss.Adam([{"params": "0.*", "lr": 0.0}], lr=1e-3)`` leaves the first layer as
            it is. None continues with `optimizer`, the one of the last `fit` (at first, Adam): nothing of the
            earlier rows is kept but parameters and the optimizer's state; its schedules that have no length
            of their own then are as long as all these fits together. `LBFGS` looks at all rows, several
            times a step, and knows no dropout; its curvature belongs to the rows and ends with `fit`.
        batch_size : int, None or "auto", default "auto"
            Rows per step: None is gradient descent (all rows), 1 stochastic gradient descent. "auto" is 128,
            and all rows with `LBFGS`, which takes nothing else.
        n_shards : int, default 1
            Into how many shards the rows of each step are cut, in their order. The gradients of the shards
            are added in a fixed tree, so the last bits depend on this number, and not on which process
            computes which shard. 1 with `LBFGS`.
        sharded : bool, default False
            Whether each shard has rows of its own, consecutive ones of X (or of each block), from which every
            step takes its share; `shuffle` orders them within the shard. With `comm`, X and y are then the
            rows of this process's shards alone; see `schuss.distributed.rows`.
        comm : communicator, optional
            The processes that train together, such as mpi4py's ``MPI.COMM_WORLD``: each calls `fit` with the
            same arguments, but for `X` and `y` with `sharded`, and computes some of the shards, of which
            there are no fewer than processes. All end with the parameters that one process has with as many.
        epochs : int, default 10
            Passes over the data; with `LBFGS` the most steps.
        validation_data : tuple of (X, y) or (X, y, weight), optional
            The objective on these is recorded after each epoch as ``"val_loss"``.
        validation_split : float, optional
            In place of `validation_data`, the share of the rows, drawn at random by the seed, that is held
            out as such; with `sharded`, of each shard's. Both parts are copies.
        early_stopping : bool, default False
            Whether to stop where the validation loss has not fallen below its lowest for `patience` epochs;
            the history's `stopped` is then ``"converged"``.
        patience : int, default 10
            Epochs in a row, at least 1.
        restore_best : bool, optional
            Whether to end with the parameters of the epoch whose validation loss was the lowest, the
            history's `best_epoch`. None for what `early_stopping` is. A training that Ctrl-C or an error ends
            is left at its last step.
        averaged : bool, default False
            Whether what counts is the average of the parameters that the optimizer keeps
            (``schuss.Adam(ema=0.99)``, or `swa_start`): validation loss, metrics and best epoch are the
            average's then, and training ends with it in `theta`, where another `fit` goes on. Callbacks see
            the parameters that are trained, which Ctrl-C and errors leave.
        metrics : str, callable or iterable of them, default ()
            What else to record after each epoch, of the rows learnt from and, with ``"val_"`` before the
            name, of the validation data: ``"accuracy"`` where the loss is a cross entropy, ``"r2"``
            elsewhere, ``"mse"``, ``"rmse"`` and ``"mae"`` of numbers, or functions ``f(y, predictions)`` that
            return a number. Each epoch then predicts all these rows once more. Where processes have rows of
            their own, functions are told the predictions for up to a million of them all.
        record : {"epoch", "step"}, default "epoch"
            What the history has a record of: each epoch, or besides that each step, as its `steps`: loss of
            the step's batch before it, learning rate, time. That takes 40 bytes a step and hardly any time.
        sample_weight : array of shape (n_samples,), optional
            Weights of the rows, not negative; the loss of a batch is the weighted mean.
        shuffle : bool, default True
            Whether each epoch takes the rows in a new order: blocks that are read by number in a new order,
            and the rows within each block. Without, blocks are read as 0, 1, 2, ...
        target_loss : float, optional
            Stop after the first epoch whose loss is not above this.
        callbacks : callable or iterable of callables, default ()
            Each is called after every epoch with a `TrainingInfo`; training stops where one returns True or
            raises StopIteration.
        progress : bool, default False
            Show a progress bar.
        max_time : float, optional
            Seconds from the call on after which training stops, be it within an epoch, a step, a validation.
        n_threads : int, optional
            Workers; None for as many as the size of a step deserves, its time shows and the process may use.
        seed : int, optional
            Seed of shuffling, rows and blocks, and of dropout; None for the network's.
        checkpoint : path-like, optional
            A file that the training is saved to, now and then, at its end and on Ctrl-C: parameters,
            optimizer, history, and where it is among the rows. It is replaced at once: a process that is
            killed leaves the last one whole.
        checkpoint_every : float or int, optional
            How often: seconds where it is a float, epochs (with `LBFGS`, steps) where it is an int. None for
            60.0.
        resume : bool, default False
            Go on from `checkpoint`, if that file is there, to the same bits as if the training had never been
            interrupted, with any number of threads; of a training that was done it only takes the results.
            The network, the rows and the options must be as they were, but for `target_loss` and `max_time`;
            `epochs` may not be fewer than are done, and where they have grown schedules without `total_steps`
            stretch from there on. Callbacks and masks of the caller's begin anew.

        Warns
        -----
        UserWarning
            If a column of X, or of a y that the outputs are to come near, is so large that training hardly
            works; it names the remedy.

        Returns
        -------
        History
            For each epoch ``"loss"`` (the objective over its batches, each before its step; with `LBFGS`
            after it), ``"val_loss"``, ``"lr"`` (but with `LBFGS`, which has none), ``"seconds"`` and the
            metrics; with ``record="step"`` the same of each step as `steps`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not accepted, or `checkpoint` is damaged or of another training; nothing has
            changed then.
        NonFiniteError
            If a loss or a gradient has NaN or infinity in it, or an update would leave them; the parameters
            are those of the last finished step. It names step, epoch and layer.
        KeyboardInterrupt
            On Ctrl-C, within about a tenth of a second, be it in the middle of a step or of a validation;
            parameters and optimizer are those of the last finished step, and `history` has the finished
            epochs.
        RuntimeError
            If it is training already, in another thread or in the `fit` whose callback this is; nothing has
            changed then.
        OSError
            If `checkpoint` cannot be read or written.
        """
        with peers_of(comm) as peers:
            epochs = check_count("epochs", epochs, least=0)
            _schuss.check_precision(self.precision)
            settings = settings_of(self.seed, batch_size, n_shards, sharded, shuffle, seed, n_threads, record)
            check_flag("progress", progress)
            ends = self._ends(target_loss, max_time)
            listeners = as_list(callbacks)
            order = settings["seed"] if settings["shuffle"] else None
            part = settings["sharded"] and peers is not None
            source = source_of(self._takes, X, y, sample_weight, order, part=part)
            chosen_metrics = metrics_of(metrics, self.objective)
            if peers is not None:
                source = peers.check(settings, source, chosen_metrics)
            given = validation_data, validation_split
            source, validation = held_out(self._takes, source, given, settings, peers)
            early = early_stopping_of(early_stopping, patience, restore_best, validation is not None)
            watch = Watch.of(early, chosen_metrics, (source, validation), settings, peers)
            leads = peers is None or peers.rank == 0
            # Once, at the first training.
            if leads and self.history is None and isinstance(source, Rows) and source.x.shape[0]:
                targets = source.targets if LOSSES[self.objective].targets == "numbers" else None
                warn_of_scale(source.x, targets, categories(self.embeddings))
            with in_training(self):
                saving = checkpoint_of(checkpoint, checkpoint_every, resume)
                steps = steps_of(source, settings["batch_size"], epochs)
                check_dropout(self.dropout, steps)
                chosen, schedules = self._chosen(optimizer, steps)
                averaged = check_averaged(averaged, chosen)
                if isinstance(chosen, LBFGS):
                    check_lbfgs(source, self.dropout, batch_size, n_shards)
                facts, saved = {}, None
                if saving is not None or peers is not None:
                    facts = facts_of(self, settings | {"averaged": averaged}, source, watch, optimizer, peers)
                if saving is not None:
                    saving.kind, saving.facts = "MLP.fit", facts
                    if (saved := saving.load()) is not None:
                        saving.expect_done("epochs", epochs, saved["progress"]["epochs"])
                history = History()
                history._steps = Steps() if settings["records_steps"] else None
                run = Run(self, history, settings, watch, averaged, *ends, checkpoint=saving)
                run.call_back = teller(listeners, self, history) if listeners else None
                if peers is not None:
                    run.join(peers, {**facts, "epochs": epochs, **form_of(source)}, saved, chosen)
                ended, schedules = begin(run, saved, chosen, schedules, steps)
                self.optimizer, self.history, self._open_schedules = chosen, history, schedules
                try:
                    with progress_bar(epochs, progress and leads) as update:
                        run.update = update if progress and leads else None
                        history.stopped = ended or self._run(run, source, epochs)
                        run.save(history.stopped)
                    run.end()
                except BaseException as error:
                    history.stopped = run.broken_off(error)
                    raise
                return history

    def _ends(self, target_loss: Any, max_time: Any) -> tuple[float | None, float | None, float]:
        """What ends a training of this network before its time, checked, and when it began."""
        expect_writable(self.theta)
        return (
            None if target_loss is None else check_number("target_loss", target_loss),
            None if max_time is None else check_number("max_time", max_time, above=0),
            perf_counter(),
        )

    def _run(self, run: Run, source: Rows | Blocks, epochs: int) -> Stop:
        """Train to the end; why it stopped."""
        if isinstance(source, Blocks):
            return run.on_blocks(source.of_epoch, epochs)
        self._flat_targets = source.flat
        if isinstance(self.optimizer, LBFGS):
            return run.on_all_rows(self.optimizer, source, epochs)
        return run.on_rows(source, epochs)

    def summary(self) -> Summary:
        """A table of the layers with shapes, activations, parameters and their memory.

        Returns
        -------
        str
            The table as text, which a notebook shows as HTML.
        """
        return summary_of(self, self._core.tensors(), LOSSES[self.objective].link)

    def _repr_html_(self) -> str:
        return self.summary().html

    def __getstate__(self) -> dict[str, Any]:
        if TRAINING:
            refuse_elsewhere(self)
        made = ("_core", "_takes", "_places", "params", "named_params")
        state = {name: value for name, value in self.__dict__.items() if name not in made}
        return plain_state(state | {"optimizer": without_arrays(self.optimizer, self.params)})

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = checked_state(state)
        self.__dict__.update(state, precision=precision_of(state["precision"], state["dtype"]))
        self._core = self._make_core()
        self.__dict__["theta"] = checked_theta(self.theta, self._core.n_params, self.dtype)
        self._derive()
        self.optimizer = with_arrays(self.optimizer, self.params, self.named_params)

    def _chosen(
        self, optimizer: Optimizer | LBFGS | str | None, gradients: int | None
    ) -> tuple[Optimizer | LBFGS, OpenSchedules | None]:
        """The optimizer to train with, the present one or one without state, and what it will follow."""
        optimizer = (self.optimizer or "adam") if optimizer is None else optimizer
        if optimizer is self.optimizer and isinstance(optimizer, _schuss.Optimizer | LBFGS):
            return optimizer, longer(self._open_schedules, optimizer, gradients)
        recipe = recipe_or_lbfgs(optimizer)
        if isinstance(recipe, LBFGS):
            return recipe, None
        steps = None if gradients is None else steps_made(recipe, gradients)
        found = open_schedules(recipe, steps)
        return recipe.bind(self.params, self.named_params, total_steps=steps), found
