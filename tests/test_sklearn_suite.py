"""scikit-learn's own tests of its multilayer perceptrons: the installed file, with one import changed."""

from pathlib import Path

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

FILE = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
if not FILE.exists():
    pytest.skip("this scikit-learn was installed without its tests", allow_module_level=True)
OLD = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
NEW = "from schuss import MLPClassifier, MLPRegressor"
SOURCE = FILE.read_text()
assert SOURCE.count(OLD) == 1

pytestmark = pytest.mark.filterwarnings("default")
exec(compile(SOURCE.replace(OLD, NEW), FILE, "exec"))

# It calls a private method of scikit-learn's class; gradients are compared in tests/test_network.py.
del test_gradient  # noqa: F821


@pytest.fixture
def global_random_seed():
    return 42


@pytest.fixture(autouse=True)
def seeded():
    """Estimators without a seed draw from NumPy's own, and one of the tests refuses slow trainings."""
    np.random.seed(0)  # noqa: NPY002
