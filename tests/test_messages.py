"""What errors say that users meet first: what was meant, what to do instead, what to install."""

import subprocess
import sys

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
Y = X @ [1.0, -2.0, 0.5]
LABELS = np.array(["a", "b", "c"] * 4)


def regression():
    return sc.MLP([3, 4, 1])


def classification():
    return sc.MLP([3, 4, 3], loss="cross_entropy")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: classification().fit(X, np.where(Y > 0, np.nan, 0.0)),
            ValueError,
            "got numbers from nan",
        ),
        (lambda: classification().fit(X, LABELS), TypeError, r"np.unique\(y, return_inverse=True\)"),
        (
            lambda: classification().fit(X, Y),
            ValueError,
            "class indices, whole numbers from 0 to 2",
        ),
        (lambda: regression().fit(X, LABELS), TypeError, "for classes the loss is 'cross_entropy'"),
        (lambda: sc.MLP([3, 4, 3]).fit(X, np.arange(12) % 3), ValueError, "the loss is 'cross_entropy', not"),
        (lambda: sc.MLP([4, 8, 1], loss="cross_entropy"), ValueError, "the loss is 'binary_cross_entropy'"),
        (lambda: regression().fit(X, Y, validation_data=X), TypeError, r"must be a tuple \(X, y\)"),
        (
            lambda: regression().fit(X, Y, validation_data=0.2),
            TypeError,
            r"must be a tuple \(X, y\).*got float",
        ),
        (
            lambda: regression().fit(X, Y, validation_data=(X * np.nan, Y)),
            ValueError,
            "validation_data: X must be finite",
        ),
        (lambda: regression().fit(X, Y, shuffle="no"), TypeError, "shuffle must be True or False, got 'no'"),
        (lambda: regression().fit(X, Y, epochs=2**64), ValueError, "epochs must be an integer of at most"),
        (
            lambda: regression().predict(X, n_threads=0),
            ValueError,
            "n_threads must be an integer of",
        ),
        (lambda: sc.MLP([3, 4, 1], activation=None), TypeError, "activation must be a name"),
        (lambda: sc.MLP([3, 1], loss=lambda y, z: 0.0), TypeError, "loss must be one of mse, sse"),
        (lambda: sc.MLP([2**40, 2**40, 1]), (ValueError, MemoryError), "layers"),
        (lambda: sc.MLP([3, 2**40]), MemoryError, "layers"),
        (lambda: regression().predict(X * 1e300), ValueError, "X must be within the range of float32"),
        (lambda: sc.schedules.constant(b"x"), TypeError, "lr must be a number, got b'x'"),
        (lambda: sc.schedules.multistep([], [5, 7]), TypeError, r"lr must be a number, got \[\]"),
        (lambda: sc.schedules.constant(0.1, warmup_start="x"), TypeError, "warmup_start must be a number"),
        (lambda: sc.LBFGS([np.ones(3)]), TypeError, "history_size must be an integer.*takes no parameters"),
        (lambda: sc.Adam(learning_rate=0.1), TypeError, 'did you mean "lr"'),
        (lambda: sc.Adam(weigth_decay=0.1), TypeError, 'did you mean "weight_decay"'),
        (lambda: sc.Adam(beta1=0.1), TypeError, 'did you mean "betas"'),
        (lambda: sc.Adam(lr=10**400), ValueError, "lr must be a finite number >= 0, got inf"),
        (
            lambda: sc.schedules.cosine(10**400),
            ValueError,
            "lr must be a number that a float holds, got 1000",
        ),
        (
            lambda: sc.schedules.cosine(0.1, 10**400),
            ValueError,
            "total_steps must be a number that a float holds, got an integer of 1329 bits",
        ),
        (
            lambda: sc.schedules.multistep(0.1, [3, 10**400]),
            ValueError,
            "milestones must be a finite number >= 0, got inf",
        ),
        (
            lambda: sc.schedules.cosine(0.1, 10)(-(10**400)),
            ValueError,
            "step must be at least 0, got -inf",
        ),
        (
            lambda: sc.SGD([np.ones(2)], lr=lambda step: 10**400).step([np.ones(2)]),
            ValueError,
            "lr must be a finite number >= 0, got inf from the schedule",
        ),
        (
            lambda: sc.Adam(betas=(0.9, 10**400)),
            ValueError,
            r"betas must be two finite numbers in \[0, 1\), got",
        ),
        (lambda: sc.Adam(eps=-(10**400)), ValueError, "eps must be a finite number >= 0, got -inf"),
        (
            lambda: sc.Adam([{"params": np.ones(2), 3: 1}]),
            TypeError,
            r"a key of params\[0\] must be the name of an option, got 3",
        ),
        (
            lambda: sc.Adam(np.ones(2)).param_groups[0].__setitem__(3, 1),
            TypeError,
            "a key of a group must be",
        ),
        (lambda: sc.Adam(colour=0.1), TypeError, 'must be one of lr, betas, .*, got "colour"$'),
        (
            lambda: sc.Adam(lr=True),
            TypeError,
            "lr must be a number, a schedule .*, got True",
        ),
        (
            lambda: sc.Adam(np.ma.masked_array(np.ones(3), [0, 1, 0])),
            TypeError,
            "params must be an array without a mask",
        ),
        (
            lambda: sc.Adam(np.ones(3)).step(np.ma.masked_array(np.ones(3), [0, 1, 0])),
            TypeError,
            "grads must be an array without a mask",
        ),
    ],
)
def test_errors_say_what_was_meant(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_a_network_does_not_drop_a_mask(name):
    given = {"X": X, "y": Y, "sample_weight": np.ones(12)}
    given[name] = np.ma.masked_array(given[name], given[name] == given[name].flat[0])
    for method in ("fit", "loss", "loss_and_grads"):
        with pytest.raises(ValueError, match=f"{name} must be an array without masked elements, got"):
            getattr(regression(), method)(**given)
    given[name] = list(given[name]) if name == "X" else [given[name]]
    with pytest.raises(ValueError, match=f"{name} must be an array without masked elements, got"):
        regression().fit(**given)


def test_a_mask_in_an_array_of_dask_is_not_dropped():
    da = pytest.importorskip("dask.array")
    net, masked = regression(), da.from_array(np.ma.masked_array(Y, np.arange(12) == 3))
    with pytest.raises(ValueError, match="y must be an array without masked elements, got 1 of them"):
        net.fit(X, masked)
    np.testing.assert_array_equal(net.predict(da.from_array(X, chunks=(5, 3))), net.predict(X))


def test_tables_of_booleans_and_numbers_are_numbers_and_others_name_their_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"speed": Y, "colour": ["red", "blue"] * 6, "count": pandas.array([1, 2] * 6, "Int64")}
    )
    dummies = pandas.get_dummies(frame)
    net = sc.MLP([4, 3, 1])
    as_array = np.column_stack([dummies[name].to_numpy(float) for name in dummies])
    np.testing.assert_array_equal(net.predict(dummies), net.predict(as_array))
    with pytest.raises(TypeError, match="X must be a table of real numbers, got column 'colour' of dtype"):
        regression().predict(frame)


@pytest.mark.parametrize("make", ["table", "record_batch"])
def test_tables_of_arrow_name_the_column_that_is_no_number(make):
    arrow = pytest.importorskip("pyarrow")
    columns = {"speed": [1.5, 2.5], "fast": [True, False], "count": [1, 2]}
    table = getattr(arrow, make)(columns)
    net = sc.MLP([3, 3, 1])
    as_array = np.array([[1.5, 1, 1], [2.5, 0, 2]])
    np.testing.assert_array_equal(net.predict(table), net.predict(as_array))
    for values, kind in ((["red", "blue"], "string"), ([True, None], "bool")):
        table = getattr(arrow, make)({**columns, "fast": values})
        with pytest.raises(TypeError, match=f"table of real numbers, got column 'fast' of dtype {kind}"):
            net.predict(table)


@pytest.mark.parametrize(
    ("code", "missing", "extra"),
    [
        ("sc.plots.loss_curve(lambda x: x @ x, (-1, 1))", "matplotlib", "plot"),
        ("sc.plots.loss_surface(lambda x: x @ x, ((-1, 1), (-1, 1)))", "matplotlib", "plot"),
        ("sc.plots.surface(lambda x: x @ x, ((-1, 1), (-1, 1)))", "matplotlib", "plot"),
        ("sc.plots.animate(lambda x: x @ x, paths={'it': [1.0, 0.5]})", "matplotlib", "plot"),
        ("sc.plots.ewa()", "matplotlib", "plot"),
        ("sc.History().plot()", "matplotlib", "plot"),
        ("sc.History().to_frame()", "pandas", "notebook"),
        ("sc.exchange.to_onnx(sc.MLP([1, 1]))", "onnx", "exchange"),
        ("sc.exchange.save_safetensors(sc.MLP([1, 1]), 'x')", "safetensors", "exchange"),
    ],
)
def test_what_is_missing_is_said_with_what_to_install(code, missing, extra):
    hidden = f"import sys; sys.modules[{missing!r}] = None\nimport schuss as sc\n"
    caught = f"try:\n    {code}\nexcept ImportError as error:\n    print(error)"
    command = [sys.executable, "-c", hidden + caught]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f'pip install "schuss[{extra}]"' in said
