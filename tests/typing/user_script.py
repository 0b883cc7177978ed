"""What a user writes, as type checkers see it. `make lint` checks it, and the tests run what is right in it.

Each line marked to be ignored is a mistake that mypy and pyright must find: a mark that nothing needs is an
error itself.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import schuss as sc
from schuss import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from schuss.typing import (
    ActivationName,
    ClassificationMetricName,
    ColumnKind,
    Convention,
    DTypeName,
    LearningRate,
    LearningRateName,
    LossName,
    NormName,
    OptimizerName,
    PrecisionName,
    PresetName,
    RegressionLossName,
    RegressionMetricName,
    SolverName,
    TargetTransformName,
)

if TYPE_CHECKING:
    from typing_extensions import assert_type

else:

    def assert_type(value, _):
        return value


Array = NDArray[np.float64]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X[:, 0] ** 2
LABELS = np.where(X[:, 0] > 0, "up", "down")


def optimizers() -> None:
    weights, bias = np.zeros((3, 2)), np.zeros(2)
    gradients = [np.ones((3, 2)), np.ones(2)]
    adam = sc.Adam([weights, bias], lr=1e-3, betas=(0.9, 0.99), convention="torch")
    assert_type(adam, sc.Adam)
    assert_type(adam.step(gradients), None)
    assert_type(adam.lr, float)
    assert_type(adam.step_count, int)
    adam.lr = sc.schedules.cosine(0.1, total_steps=100, warmup_steps=5)
    adam.lr = lambda step: 0.1 / (step + 1)
    adam.load_state_dict(adam.state_dict())
    assert_type(adam.param_groups[0], sc.ParamGroup)
    assert_type(adam.param_groups[0].items(), list[tuple[str, Any]])
    assert "lr" in adam.param_groups[0]
    assert len(adam.param_groups[0].values()) == len(adam.param_groups[0])
    assert adam.param_groups[0].get("nothing", 3) == 3

    named = sc.SGD({"w": weights, "b": bias}, lr=0.1, momentum=0.9, nesterov=True, clip_norm=1.0)
    named.step({"w": gradients[0], "b": gradients[1]})
    sc.AdamW([{"params": [weights], "weight_decay": 0.1}, {"params": [bias], "lr": 0.01}])
    assert_type(sc.Lion(lr=1e-4).bind(weights), sc.Lion)
    rules: list[sc.Optimizer] = [sc.Adagrad(), sc.RMSprop(), sc.Adadelta(), sc.Adamax(), sc.NAdam()]
    rules += [sc.RAdam(), sc.Rprop(), sc.Adan(), sc.AdaBelief(), sc.Yogi(), sc.LAMB(), sc.Prodigy()]
    rules += [sc.ScheduleFreeSGD(), sc.ScheduleFreeAdamW()]
    try:
        sc.SGD(bias, lr=0.1).step(np.full(2, np.nan))
    except sc.NonFiniteError as error:
        assert_type(error, sc.NonFiniteError)


def optimizers_kept() -> None:
    weights = np.zeros(3)
    name: Convention = "optax"
    ours = sc.Adam([weights], lr=0.1, ema=0.9, nonfinite="skip", convention=name)
    ours.step([np.full(3, np.inf)])
    assert_type(ours.skipped_steps, int)
    ours.tell(0.5)
    assert_type(ours.averaged_params(), Any)
    assert_type(ours.get_params(), dict[str, Any])
    assert_type(sc.Adam().set_params(lr=0.5), sc.Adam)
    file = io.BytesIO()
    ours.save(file)
    file.seek(0)
    ours.load(file)
    again = sc.SGD.from_torch_state(sc.SGD([weights], lr=0.1).to_torch_state(), [weights])
    assert_type(again, sc.SGD)
    recipe = sc.LBFGS(tolerance_grad=1e-6)
    assert_type(recipe.tolerance_grad, float)
    assert_type(recipe.history_size, int)


def schedules() -> None:
    schedule = sc.schedules.join([sc.schedules.constant(0.1), sc.schedules.linear(0.1, total_steps=9)], [5])
    assert_type(schedule, sc.schedules.Schedule)
    assert_type(schedule(3), float)
    assert_type(sc.schedules.warmup(schedule, 5)(np.arange(10)), Array)
    sc.AdamW(lr=sc.schedules.coslog4(0.04), weight_decay=sc.schedules.flat_cos(0.02, flat=0.3))
    sc.MLP([4, 8, 8, 1], dropout=sc.schedules.flat_cos(0.15)).dropout = [
        0.1,
        sc.schedules.coslog(0.1, cycles=2),
    ]
    assert_type(sc.ewa([1.0, 2.0], beta=0.5), Array)
    every: list[sc.schedules.Schedule] = [
        sc.schedules.step(0.1, step_size=10),
        sc.schedules.multistep(0.1, milestones=[3, 6]),
        sc.schedules.exponential(0.1, rate=0.9),
        sc.schedules.inverse_time(0.1, rate=0.5),
        sc.schedules.polynomial(0.1, total_steps=9, power=2.0),
        sc.schedules.cosine_restarts(0.1, period=4),
        sc.schedules.one_cycle(0.1, total_steps=9),
        sc.schedules.cyclic(0.1, low=0.01, rise_steps=4),
        sc.schedules.cosine(0.1).with_length(9),
    ]
    rates: list[LearningRate] = [*every, sc.schedules.plateau(0.1), 0.1, lambda step: 0.1 / (step + 1)]
    for rate in rates:
        sc.SGD(lr=rate)


def square(x: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    return float(x @ x), 2 * x


def minimise() -> None:
    result = sc.minimize(square, [1.0, 2.0], jac=True, optimizer=sc.SGD(lr=0.1), max_steps=50)
    assert_type(result, sc.OptimizeResult)
    assert_type(result["x"], Any)
    print(result.x, result.fun, result.message)
    for optimizer in (sc.LBFGS(history_size=5), sc.Adam(lr=0.1)):
        sc.minimize(square, np.ones(2), jac=True, optimizer=optimizer)
    sc.minimize(lambda x: ((x - 3) ** 2).sum(), 0.0, optimizer="adam", bounds=[(None, 1.0)], max_steps=5)


def network() -> None:
    net = sc.MLP(
        [4, 8, 1], activation="gelu", loss="mse", dtype="float64", dropout=[0.1], precision="float64"
    )
    assert_type(net.precision, str)
    smooth = sc.MLP([4, 8, 2], loss="cross_entropy", label_smoothing=0.1)
    assert_type(smooth.label_smoothing, float)
    history = net.fit(
        X, Y, optimizer=sc.Adam(lr=1e-3), epochs=3, batch_size=10, validation_data=(X, Y), callbacks=[report]
    )
    assert_type(history, sc.History)
    assert_type(history["loss"], list[float])
    assert_type(history.epochs, int)
    assert_type(history.stopped, sc.Stop | None)
    assert_type(history.steps, dict[str, NDArray[Any]] | None)
    net.fit(X, Y, epochs=2, record="step")
    net.fit(X, Y, epochs=2, optimizer=sc.Adam(ema=0.9), validation_split=0.2, averaged=True)
    sc.MLP([4, 8, 1]).fit(X, Y, optimizer="lbfgs", batch_size="auto", epochs=2)
    assert_type(net.predict(X), NDArray[Any])
    assert_type(net.loss(X, Y), float)
    loss, gradients = net.loss_and_grads(X, Y)
    assert_type(loss, float)
    assert_type(gradients, list[NDArray[Any]])
    assert_type(net.params, list[NDArray[Any]])
    for layer in net.forward_layers(X):
        assert_type(layer, sc.LayerOutputs)
        assert_type(layer.z, NDArray[Any])
    print(net.summary())
    for activation in sc.ACTIVATIONS:
        assert_type(activation, ActivationName)
        sc.MLP([4, 8, 8, 1], activation=[activation, "tanh"])
    loss_name: LossName = "huber"
    assert loss_name in sc.LOSSES


def network_used() -> None:
    dtype: DTypeName = "float32"
    which: LossName = "cross_entropy"
    normed: NormName = "rms"
    products: PrecisionName = "float32"
    net = sc.MLP([4, 8, 2], loss=which, dtype=dtype, norm=normed, precision=products)
    classes = (X[:, 0] > 0).astype(int)
    rule: OptimizerName = "adamw"
    history = net.fit(
        X, classes, optimizer=rule, validation_split=0.2, early_stopping=True, metrics="accuracy"
    )
    assert_type(history.best_epoch, int | None)
    assert_type(history.copy(), sc.History)
    assert_type(history.to_json(), str)
    assert_type(net.history, sc.History | None)
    assert_type(net.score(X, classes), float)
    assert_type(net.evaluate(X, classes, metrics=["accuracy"]), dict[str, float])
    assert_type(net.predict_proba(X), NDArray[Any])
    assert_type(net.predict_classes(X), NDArray[np.int64])
    assert_type(net.logits(X), NDArray[Any])
    assert_type(net.named_params, dict[str, NDArray[Any]])
    assert_type(net.theta, NDArray[Any])
    for layer in net.forward_layers(X):
        print(layer.index, layer.name, layer.count, layer.a)
    file = io.BytesIO()
    net.save(file)
    file.seek(0)
    assert_type(sc.MLP.load(file), sc.MLP)
    own = sc.History()
    own.append(loss=0.5)


def blocks() -> None:
    read = sc.blocks.from_arrays(X, Y, np.ones(60), block_rows=10, window=2, transform=lambda x: x + 1)
    assert_type(read, sc.blocks.Blocks)
    assert_type(read.n_blocks + read.n_rows + read.n_columns + read.window, int)
    assert_type(read.read(0), tuple[NDArray[Any], ...])
    for rows in read:
        assert_type(rows, tuple[NDArray[Any], ...])
    for x, _, _ in read.windows([2, 0], first=0, dtype="float32"):
        print(x.shape, read.identity)
    sc.MLP([4, 1]).fit(read, epochs=2, checkpoint=None)
    sc.MLP([4, 1]).fit(sc.blocks.from_arrays([X, X], [Y, Y]), epochs=1)
    if TYPE_CHECKING:
        sc.blocks.from_parquet("rows/", columns=["a", "b"], target="y", sample_weight=None, window=4)
        sc.blocks.from_arrays("X.npy", ["y0.npy", "y1.npy"])


def report(info: sc.TrainingInfo) -> bool:
    assert_type(info.net, sc.MLP)
    assert_type(info.val_loss, float | None)
    return info.epoch > 100


def estimators() -> None:
    classifier = MLPClassifier(
        hidden_layer_sizes=(8, 4),
        activation=["gelu", "logistic"],
        solver="sgd",
        learning_rate="adaptive",
        class_weight="balanced",
        max_iter=3,
        early_stopping=True,
        random_state=0,
        callbacks=[lambda model: model.n_iter_ > 100],
    )
    assert_type(classifier.fit(X, LABELS, sample_weight=np.ones(60)), MLPClassifier)
    assert_type(classifier.predict_proba(X), NDArray[Any])
    assert_type(classifier.classes_, NDArray[Any])
    assert_type(classifier.history_, sc.History)
    regressor = sc.MLPRegressor("huber", 8, optimizer=sc.AdamW(lr=1e-3), delta=0.5, max_iter=3)
    fitted = regressor.fit(X, Y, X_val=X, y_val=Y)
    assert_type(fitted, MLPRegressor)
    assert_type(fitted.predict(X), NDArray[Any])
    assert_type(fitted.coefs_, list[NDArray[Any]])
    assert_type(fitted.n_iter_, int)
    assert_type(fitted.validation_scores_, list[float] | None)
    assert_type(regressor.partial_fit(X, Y), MLPRegressor)
    loss: RegressionLossName = "huber"
    solver: SolverName = "sgd"
    rate: LearningRateName = "invscaling"
    MLPRegressor(loss, solver=solver, learning_rate=rate, max_iter=2).fit(X, Y)
    print(classifier.score(X, LABELS), regressor.score(X, Y))
    assert_type(classifier.predict_log_proba(X), NDArray[Any])
    MLPRegressor(optimizer="lamb", schedule=sc.schedules.cosine(0.1, total_steps=9), max_iter=3).fit(X, Y)


def on_a_cluster() -> None:
    from schuss.dask import DaskMLPClassifier, DaskMLPRegressor

    classifier = DaskMLPClassifier(client=None, n_shards=4, hidden_layer_sizes=(8, 4))
    regressor = DaskMLPRegressor("huber", n_shards=4, max_iter=3)
    assert_type(classifier, DaskMLPClassifier)
    assert_type(regressor.get_params()["n_shards"], Any)
    assert_type(sc.dask.DaskMLPClassifier(), DaskMLPClassifier)
    print(classifier, regressor)


def estimators_for_tables() -> None:
    preset: PresetName = "quick"
    kind: ColumnKind = "number"
    metric: ClassificationMetricName = "log_loss"
    classifier = TabularClassifier(
        preset,
        n_members=2,
        n_folds=2,
        eval_metric=metric,
        class_weight="balanced",
        columns={0: kind},
        categorical_features=[1],
        random_state=0,
    )
    table = [[number, "high" if number > 0.5 else "low"] for number in X[:, 0]]
    fitted = classifier.fit(table, LABELS, sample_weight=np.ones(60))
    assert_type(fitted, TabularClassifier)
    assert_type(fitted.predict_proba(table), NDArray[Any])
    assert_type(fitted.predict_log_proba(table), NDArray[Any])
    assert_type(fitted.predict(table), NDArray[Any])
    assert_type(fitted.classes_, NDArray[Any])
    assert_type(fitted.temperature_, float)
    assert_type(fitted.n_features_in_, int)
    print(fitted.report_, fitted.leaderboard_.score, fitted.encoder_.roles, fitted.ensemble_.members)
    score: RegressionMetricName = "mae"
    transform: TargetTransformName = "quantile"
    regressor = TabularRegressor(
        preset, max_time=60.0, n_members=2, n_folds=1, eval_metric=score, target_transform=transform
    )
    assert_type(regressor.fit(X, Y, X, Y), TabularRegressor)
    assert_type(regressor.predict(X), NDArray[Any])
    waves = sc.embeddings.Periodic([0, 1], frequencies=4, sigma=0.5)
    levels = sc.embeddings.Category(2, levels=3, width=2)
    lines = sc.embeddings.PiecewiseLinear.from_quantiles(X, [3], bins=8, width=2)
    assert_type(lines, sc.embeddings.PiecewiseLinear)
    print(sc.embeddings.PiecewiseLinear([3], [[0.0, 0.5, 1.0]]) == lines)
    net = sc.MLP([4, 8, 1], embeddings=[waves, levels, lines], input_scale=True, parametric=True)
    assert_type(sc.MLP([4, 8, 1]).init_from_data(X, seed=1, n_threads=2), sc.MLP)
    net.fit(np.column_stack([X[:, :2], np.arange(60) % 3, X[:, 3]]), Y, epochs=2)


def pictures(folder: str) -> None:
    """What needs matplotlib, onnx or others."""
    net = sc.MLP([4, 1])
    history = net.fit(X, Y)
    history.plot()
    sc.plots.learning_curve(history)
    sc.plots.learning_curve(history, score="loss")
    history.to_frame()
    sc.plots.loss_curve(lambda w: float(w[0] ** 2), (-1, 1))
    sc.plots.loss_surface(square, ((-1, 1), (-1, 1)))
    sc.plots.loss_by_step(square, {"sgd": np.ones((5, 2))})
    run = sc.minimize(square, [1.0, 2.0], jac=True)
    sc.plots.paths(square, {"sgd": run})
    sc.plots.surface(square, ((-1, 1), (-1, 1)), {"sgd": run, "adam": np.ones((5, 2))})
    race = sc.plots.animate(square, {"sgd": run}, frames=30)
    assert_type(race.to_html(), str)
    race.save(f"{folder}/race.gif")
    sc.plots.learning_rates(square, [1.0, 2.0], {"small": 0.01, "large": 1.0})
    sc.plots.schedules({"cosine": sc.schedules.cosine(0.1, 10), "fixed": 0.1}, steps=10)
    sc.plots.ewa(beta=[0.5, 0.9])
    sc.plots.batch_regimes(steps=10)
    sc.plots.activations(["relu", "mish"])
    sc.plots.layer_activations(net, X)
    sc.plots.layer_gradients(net, X, Y)
    flat = sc.MLP([2, 8, 2], loss="cross_entropy")
    flat.fit(X[:, :2], (Y > 0.5).astype(int))
    sc.plots.decision_boundary(flat, X[:, :2], Y > 0.5)
    display = sc.TrainingCurveDisplay.from_history(history, name="net")
    assert_type(display, sc.TrainingCurveDisplay)
    sc.exchange.to_onnx(net)
    sc.exchange.save_safetensors(net, f"{folder}/net.safetensors")
    sc.exchange.load_safetensors(f"{folder}/net.safetensors")
    assert_type(sc.exchange.to_torch(net), dict[str, NDArray[Any]])
    sc.exchange.load_torch(net, sc.exchange.to_torch(net))
    sc.exchange.from_sklearn(sc.exchange.to_sklearn(MLPRegressor(max_iter=2).fit(X, Y)))
    of_table = sc.TabularRegressor("quick", n_members=1, n_folds=2).fit(X, Y)
    sc.exchange.to_onnx(of_table)
    assert_type(sc.exchange.onnx_inputs(of_table, X), dict[str, NDArray[Any]])
    assert_type(of_table.predict_one([1.0, 2.0, 3.0, 4.0]), float)
    file = io.BytesIO()
    of_table.save(file)
    file.seek(0)
    assert_type(sc.TabularRegressor.load(file), sc.TabularRegressor)
    classes = sc.TabularClassifier("quick", n_members=1, n_folds=2).fit(X, LABELS)
    assert_type(classes.predict_proba_one([1.0, 2.0, 3.0, 4.0]), NDArray[Any])
    sc.TrainingCurveDisplay.from_estimator(MLPRegressor(max_iter=2).fit(X, Y))


def mistakes() -> None:
    """Never run: each is found by both checkers."""
    sc.Adma()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sc.Adam(beta1=0.9)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    sc.Adam(convention="pytorch")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.Adam(lr="fast")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.schedules.cosin(0.1)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sc.schedules.cosine()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    sc.minimize(square, 0.0, optimizer="adma")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.minimize(square, 0.0, steps=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    sc.MLP([1, 1], activation="rleu")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.MLP([1, 1], loss="squared")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.MLP([1, 1], dtype="float16")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.MLP([1, 1], precision="half")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.MLP([1, 1], norm="batch")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    net = sc.MLP([1, 1])
    net.fit(X, Y, epoch=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    net.fit(X, Y, batch_size="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    net.fit(X, Y, record="batch")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    net.fit(X, Y, optimizer="adan2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    net.predictions(X)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    MLPClassifier(hidden_layers=(5,))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MLPClassifier(solver="adamw")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MLPClassifier(activation="sigmoyd")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MLPClassifier().fit(X, Y, X_valid=X)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MLPRegressor(loss="msle")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    TabularClassifier("fast")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    TabularClassifier(eval_metric="rmse")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    TabularRegressor(columns={0: "text"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    TabularRegressor(members=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MLPRegressor(learning_rate=0.1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sc.exchange.to_onxn(net)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sc.distributed.row(9, None)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sc.plots.draw(net)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sc.plots.activations(["rleu"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
