"""What completion, a star import and editors find, with and without scikit-learn."""

import importlib
import subprocess
import sys
import typing

import pytest

import schuss as sc
import schuss.typing as names
from schuss._registry import ACTIVATION_ALIASES, LOSS_ALIASES


def run(code, without=()):
    """Run code in a Python that cannot find these packages; what it prints."""
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    command = [sys.executable, "-W", "error", "-c", f"import sys\n{hidden}{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["plots", "schedules", "exchange"])
def test_completion_shows_functions_only(module):
    module = getattr(sc, module)
    assert dir(module)
    for name in dir(module):
        assert callable(getattr(module, name))
        assert not isinstance(getattr(module, name), type)
    assert set(dir(module)) == set(module.__all__) - {"Schedule"}


def test_completion_of_the_package_shows_what_is_public():
    assert dir(sc) == sorted(sc.__all__)
    assert not any(name[0] == "_" for name in dir(sc) if name != "__version__")
    for name in dir(sc):
        getattr(sc, name)


def test_estimators_are_listed_and_found_where_scikit_learn_is():
    pytest.importorskip("sklearn")
    code = "from schuss import *; print(MLPClassifier.__name__, TabularRegressor.__name__)"
    assert run(code) == "MLPClassifier TabularRegressor\n"
    assert {"MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"} <= set(dir(sc))


def test_a_star_import_works_without_scikit_learn():
    estimators = "{'MLPClassifier', 'TabularClassifier'} & {*dir(schuss)}"
    code = f"from schuss import *; import schuss; print(MLP.__name__, {estimators})"
    assert run(code, without=["sklearn"]) == "MLP set()\n"
    # Everything that is listed is there, for all tools that go through the list.
    run("import inspect, schuss; inspect.getmembers(schuss)", without=["sklearn"])


@pytest.mark.parametrize(
    "code", ["from schuss import MLPClassifier", "import schuss; schuss.TabularRegressor"]
)
@pytest.mark.parametrize("missing", ["sklearn", "sklearn.model_selection"])
def test_an_estimator_without_scikit_learn_says_what_to_install(code, missing):
    caught = f"try:\n    {code}\nexcept ImportError as error:\n    print(error)"
    said = run(caught, without=[missing])
    assert 'needs scikit-learn 1.6 or newer: pip install "schuss[sklearn]"' in said


@pytest.mark.parametrize("missing", ["sklearn", "sklearn.model_selection"])
@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("import schuss.estimators", "estimators"),
        ("from schuss.estimators import MLPClassifier", "estimators"),
        ("import schuss.tables", "tables"),
        ("from schuss.tables import TabularClassifier", "tables"),
    ],
)
def test_a_module_of_estimators_says_it_once(code, module, missing):
    caught = f"try:\n    {code}\nexcept ImportError as error:\n    print(error)"
    said = run(caught, without=[missing])
    assert said.startswith(
        f'schuss.{module} needs scikit-learn 1.6 or newer: pip install "schuss[sklearn]" ('
    )
    assert said.count("pip install") == 1


@pytest.mark.parametrize("missing", ["dask", "distributed", "sklearn"])
def test_a_cluster_without_dask_says_what_to_install(missing):
    caught = "try:\n    import schuss.dask\nexcept ImportError as error:\n    print(error)"
    said = run(caught, without=[missing])
    assert (
        'schuss.dask needs dask, distributed and scikit-learn: pip install "schuss[distributed,sklearn]"'
        in said
    )


@pytest.mark.parametrize("module", ["dask", "estimators", "tables"])
def test_a_module_that_needs_more_is_there_when_it_is_asked_for(module):
    pytest.importorskip("distributed" if module == "dask" else "sklearn")
    assert run(f"import schuss; print(schuss.{module}.__name__)") == f"schuss.{module}\n"
    assert run(f"from schuss import {module}; print({module}.__name__)") == f"schuss.{module}\n"


@pytest.mark.parametrize(
    ("module", "missing", "words"),
    [
        ("dask", "distributed", 'needs dask, distributed and scikit-learn: pip install "schuss[distributed'),
        ("dask", "sklearn", 'needs dask, distributed and scikit-learn: pip install "schuss[distributed'),
        ("tables", "sklearn", 'needs scikit-learn 1.6 or newer: pip install "schuss[sklearn]"'),
    ],
)
def test_a_module_that_lacks_something_says_what_to_install(module, missing, words):
    caught = f"import schuss\ntry:\n    schuss.{module}\nexcept ImportError as error:\n    print(error)"
    said = run(caught, without=[missing])
    assert said.startswith(f"schuss.{module} {words}")


def test_importing_the_package_imports_no_optional_one():
    optional = {"sklearn", "scipy", "pandas", "matplotlib", "tqdm", "onnx", "safetensors", "torch", "dask"}
    assert run(f"import schuss; dir(schuss); print({optional} & {{*sys.modules}})") == "set()\n"


def test_a_misspelt_name_is_none():
    with pytest.raises(AttributeError, match="module 'schuss' has no attribute 'MLPClasifier'"):
        sc.MLPClasifier  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'MLPClasifier'"):
        from schuss import MLPClasifier  # noqa: F401


def recipes():
    return [name.lower() for name in sc.optimizers._CLASSES] + ["lbfgs"]


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("ActivationName", lambda: [*sc.ACTIVATIONS, *ACTIVATION_ALIASES]),
        ("LossName", lambda: [*sc.LOSSES, *LOSS_ALIASES]),
        ("NormName", lambda: sc._schuss.NORMS),
        ("PrecisionName", lambda: sc._schuss.PRECISIONS),
        ("OptimizerName", recipes),
        ("Convention", lambda: sc.optimizers.CONVENTIONS),
    ],
)
def test_the_types_of_names_are_what_the_core_accepts(name, accepted):
    assert typing.get_args(getattr(names, name)) == tuple(accepted())


def constraint(parameter):
    pytest.importorskip("sklearn")
    from schuss import estimators

    (options,) = estimators.MLPRegressor._parameter_constraints[parameter]
    return options.options


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("SolverName", "solver"), ("LearningRateName", "learning_rate"), ("RegressionLossName", "loss")],
)
def test_the_types_of_names_are_what_the_estimators_accept(name, parameter):
    assert set(typing.get_args(getattr(names, name))) == constraint(parameter)


@pytest.mark.parametrize(
    ("name", "parameter", "estimator"),
    [
        ("PresetName", "preset", "TabularRegressor"),
        ("ClassificationMetricName", "eval_metric", "TabularClassifier"),
        ("RegressionMetricName", "eval_metric", "TabularRegressor"),
        ("TargetTransformName", "target_transform", "TabularRegressor"),
    ],
)
def test_the_types_of_names_are_what_the_estimators_for_tables_accept(name, parameter, estimator):
    pytest.importorskip("sklearn")
    from schuss import tables

    accepted = getattr(tables, estimator)._parameter_constraints[parameter][0]
    assert set(typing.get_args(getattr(names, name))) == accepted.options


def test_every_loss_of_a_regressor_is_named_where_its_parameter_is_described():
    estimators = pytest.importorskip("schuss.estimators")
    for name in typing.get_args(names.RegressionLossName):
        assert f'"{name}"' in estimators.MLPRegressor.__doc__.partition("hidden_layer_sizes :")[0]


def test_the_type_of_kinds_has_those_that_the_encoder_takes():
    pytest.importorskip("sklearn")
    from schuss.tables._kinds import KINDS

    assert typing.get_args(names.ColumnKind) == KINDS


def test_any_name_of_a_precision_is_accepted():
    for name in typing.get_args(names.DTypeName):
        assert sc.MLP([1, 1], dtype=name).dtype == name


def test_each_type_of_names_is_documented_and_listed():
    module = importlib.import_module("schuss.typing")
    defined = {name for name in vars(module) if typing.get_origin(getattr(module, name)) is typing.Literal}
    assert defined | {"LearningRate"} == set(module.__all__)
