"""What the documentation of both estimators says in the same words."""

from collections.abc import Mapping

FIRST = """\
hidden_layer_sizes : int or array-like of int, default (100,)
        The widths of the hidden layers.
    activation : str or sequence of str, default "relu"
        The activation of the hidden layers, or one for each: one of `schuss.ACTIVATIONS`, or
        ``"logistic"``, ``"linear"`` or ``"swish"``, scikit-learn's and others' names for three of them.
    solver : {"adam", "sgd", "lbfgs"}, default "adam"
        Adam, gradient descent with momentum, both as scikit-learn has them, or L-BFGS over all rows at once,
        for small data.
    alpha : float, default 0.0001
        Strength of the penalty: ``alpha / 2 * sum of squared weights``, divided by the weight of the batch.
    batch_size : int or "auto", default "auto"
        Rows per step; "auto" is 200, or all where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        With "sgd" or an `optimizer`: constant; ``rate / (t + 1) ** power_t`` in the epoch that begins after t
        rows, where rate is `learning_rate_init`, or the optimizer's own; or divided by 5 each time the loss
        has stalled, until it is 1e-6 or less. Schedules stay as they are.
    learning_rate_init : float, default 0.001
        The learning rate at the start, of "sgd" and "adam"; an `optimizer` has its own.
    power_t : float, default 0.5
        See `learning_rate`.
    max_iter : int, default 200
        The most epochs, or iterations of L-BFGS.
    shuffle : bool, default True
        Whether each epoch takes the rows in a new order.
    random_state : int, RandomState or None, default None
        Decides initial weights, the rows held out, and the order of rows.
    tol : float, default 1e-4
        What counts as progress of the loss, or of the score with `early_stopping`.
    verbose : bool, default False
        Print the loss of each epoch.
    warm_start : bool, default False
        Continue from the last fit, with the optimizer's state: two fits are one long one.
    momentum, nesterovs_momentum : float, bool, default 0.9, True
        Of "sgd".
    early_stopping : bool, default False
        Hold rows out, stop when their score stalls, and restore the best epoch.
    validation_fraction : float, default 0.1
        The share of rows to hold out, where `fit` is given none.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        Of "adam".
    n_iter_no_change : int or inf, default 10
        Epochs without progress after which training stops.
    max_fun : int, default 15000
        The most evaluations of the loss, of "lbfgs".
"""

SECOND = """\
optimizer : Optimizer or str, optional
        Any optimizer of the library with its own options, such as ``schuss.AdamW(lr=1e-3)``, or a name; in
        place of `solver`. With `LBFGS` too, `early_stopping` holds rows out.
    schedule : Schedule or callable, optional
        The learning rate as a function of the step, see `schuss.schedules`, in place of that of `optimizer`.
        Groups with another rate of their own, such as 0, which freezes them, keep it. A schedule without a
        length of its own is as long as all fits of a `warm_start` together; `partial_fit`, which knows no
        end, refuses it.
    dropout : float or sequence of float, default 0.0
        The share of the hidden layers' outputs, or of each layer's, that training sets to zero.
"""

THIRD = """\
clip_norm : float, optional
        The largest norm of the gradient; larger ones are scaled down.
    scoring : str, callable or None, default None
        What is watched on held-out rows: a scorer of scikit-learn, ``"loss"`` (negative, as more is better),
        or None for `score`; where that says nothing, since all their targets are the same, the loss. One
        that does not accept `sample_weight` goes with `class_weight`, but not with weights of rows.
    restore_best : bool, optional
        Whether to end with the parameters of the best epoch. None: with `early_stopping`. With `warm_start`
        it may be one of an earlier fit, if the same rows and `scoring` judge; `partial_fit` takes no notice.
    max_time : float, optional
        Seconds from the call of `fit` on after which training stops.
    callbacks : callable or list of callables, optional
        Each is called with this estimator after every epoch; training stops where one returns True or raises
        StopIteration.
    progress : bool, default False
        Show a progress bar.
    n_threads : int, optional
        Workers. None: what a step deserves, its time shows and the surroundings leave: affinity, joblib,
        threadpoolctl.
    n_shards : int, default 1
        Into how many shards the rows of each step are cut; 1 with L-BFGS. The last bits depend on it, and not
        on how many threads, or processes with `comm`, compute the shards.
    sharded : bool, default False
        Whether each shard has rows of its own, consecutive ones of X, from which every step takes its share;
        `shuffle` orders them within the shard, and each shard holds out its share of rows, not stratified. So
        the estimators of `schuss.dask` train, and processes (`comm`) that have no other rows than their
        shards'.
    precision : {"float32", "float64", "bfloat16"}, optional
        What is trained in, and X converted to; None for float32 where X is that, else float64. ``"bfloat16"``
        trains in float32 with products of rounded factors, as `schuss.MLP` does; predictions go by what it is
        set to now.
"""

ATTRIBUTES = """\
coefs_, intercepts_ : list of ndarray
        Weights, (inputs, outputs), and biases of each layer.
    loss_, best_loss_ : float
        The loss of the last epoch and the best; the latter is None with `early_stopping`. Of L-BFGS that
        ended before its first iteration, they and `best_validation_score_` are of where it began.
    loss_curve_ : list of float
        The loss of each epoch, or after each iteration of L-BFGS.
    validation_scores_, validation_loss_curve_ : list of float or None
        The score and the loss of held-out rows after each epoch.
    best_validation_score_ : float or None
        The best of the scores.
    history_ : History
        All of it in one table, with learning rates and seconds; a curve in a notebook.
    n_iter_, t_ : int
        Epochs of the last fit, and rows seen so far.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        What the network is.
    n_features_in_, feature_names_in_ : int, ndarray of str
        What the columns are.
"""

FIT = """\
X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs. float32 is trained in float32, all else in float64, unless `precision` says otherwise.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows.
"""

FIT_ENDS = """\
Warns
        -----
        ConvergenceWarning
            If it ended before it converged, or diverged, where the best epoch is kept.
        UserWarning
            If a column of X, or of the targets of a regressor, is so large that a network hardly learns;
            if `batch_size` is more than there are rows; if Ctrl-C has ended the training.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter, the rows or another argument is not accepted, or `checkpoint` is damaged or of
            another training; the model is then as it was. If a training diverged of which no epoch is kept.
        RuntimeError
            If it is training already, in another thread or in the `fit` whose callback this is.
        OSError
            If `checkpoint` cannot be read or written.
"""

PREDICT = """\
X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs."""

PREDICT_RAISES = """\
Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If `X` has no rows, other columns than those that were learnt from, NaN or infinity, or what is no
            number.
        RuntimeError
            While another thread trains the model."""

HELD_OUT = """\
X_val, y_val, sample_weight_val : array-like, optional
            Rows to watch: their score and loss are recorded, and decide with `early_stopping`.
"""

CHECKPOINT = """\
checkpoint : path-like, optional
            A file that the training is saved to, now and then, at its end and on Ctrl-C. It is replaced at
            once: a process that is killed leaves the last one whole.
        checkpoint_every : float or int, optional
            How often: seconds where it is a float, epochs where it is an int. None for 60.0.
        resume : bool, default False
            Go on from `checkpoint`, if that file is there, to the same bits as if the training had never been
            interrupted; of one that was done it only takes the results. Rows and parameters must be as they
            were, a `RandomState` where it was before that fit, but those that only watch or end a training;
            `max_iter` may have grown (a `schedule` without `total_steps` then stretches from there on), and
            may not be less than is done.
        comm : communicator, optional
            The processes that fit together, such as mpi4py's ``MPI.COMM_WORLD``, not more of them than
            `n_shards`: each calls `fit` with the same rows on an estimator with the same parameters, and all
            end with what one process has with as many shards. With `sharded`, X, y and `sample_weight` are
            the rows of this process's shards alone, which `schuss.distributed.rows` names, and rows to watch
            are still the same in all. Not with L-BFGS.
"""


TEXTS = {
    "first": FIRST.rstrip(),
    "second": SECOND.rstrip(),
    "third": THIRD.rstrip(),
    "attributes": ATTRIBUTES.rstrip(),
    "fit": FIT.rstrip(),
    "fit_ends": FIT_ENDS.rstrip(),
    "predict": PREDICT,
    "predict_raises": PREDICT_RAISES,
    "held_out": HELD_OUT.rstrip(),
    "checkpoint": CHECKPOINT.rstrip(),
}


def document(estimator: type, texts: Mapping[str, str], *methods: str) -> None:
    """Fill shared texts into the documentation of an estimator and of some of its methods."""
    for documented in (estimator, *(vars(estimator)[name] for name in methods)):
        documented.__doc__ = (documented.__doc__ or "") % texts
