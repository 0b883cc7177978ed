"""Searches of scikit-learn's on a Dask cluster, and the scripts of the guide."""

import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV

import schuss as sc
from schuss.estimators import _threads

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LIMIT = 120  # seconds, to end a hang
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = X[:, 0] * X[:, 1] > 0


def scorer(model, X, y):
    """How right a model is, and in what surroundings it was asked: one task beside others has one thread."""
    assert _threads.limit() == 1
    return model.score(X, y)


@pytest.mark.parametrize("kind", [RandomizedSearchCV, HalvingRandomSearchCV])
def test_a_search_on_a_cluster_finds_what_one_process_finds(kind):
    model = sc.MLPClassifier((8,), max_iter=10, random_state=0)
    choices = {"learning_rate_init": loguniform(1e-3, 1e-1), "alpha": [1e-4, 1e-2]}

    def search():
        return kind(model, choices, random_state=0, cv=3, scoring=scorer, error_score="raise").fit(X, Y)

    # Threads of one process, which Dask does not tell how many cores are theirs.
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "protocol": "tcp://"}
    local |= {"processes": False, "scheduler_kwargs": {"dashboard": False}, "silence_logs": 50}
    some = distributed.LocalCluster(n_workers=1, threads_per_worker=2, **local)
    with some, distributed.Client(some), joblib.parallel_config(backend="dask"):
        there = search()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_threads, "limit", lambda: 1)
        here = search()
    scores = here.cv_results_["mean_test_score"]
    assert len(scores) >= 10
    assert np.array_equal(there.cv_results_["mean_test_score"], scores)
    assert there.best_params_ == here.best_params_


def test_the_limit_of_threads_is_that_of_the_process_outside_of_tasks():
    assert _threads.limit() == _threads._openmp_effective_n_threads(only_physical_cores=False)


SAYS = {
    "X": r"right (0\.\d\d|1\.00), mean chance 0\.5\n",
    "joblib": r"RandomizedSearchCV: right [01]\.\d\nHalvingRandomSearchCV: right [01]\.\d\n",
}


@pytest.mark.parametrize("script", SAYS)
def test_the_scripts_of_the_guide_run(script, tmp_path):
    page = Path(__file__).parents[1] / "docs/guide/distributed.md"
    if not page.exists():
        pytest.skip("reads the documents")
    scripts = re.findall(r"^```py\n# on Dask\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [each for each in scripts if ("import joblib" in each) == (script == "joblib")]
    # Nothing but this machine; a dashboard only where there is room for one.
    text = text.replace(
        "threads_per_worker=1)", "threads_per_worker=1, host='127.0.0.1', dashboard_address='127.0.0.1:0')"
    )
    assert "127.0.0.1" in text
    (tmp_path / "script.py").write_text(text)
    package = str(Path(sc.__file__).parents[1])
    command = [sys.executable, "-W", "ignore", tmp_path / "script.py"]
    env = {**os.environ, "PYTHONPATH": package}
    result = subprocess.run(command, capture_output=True, text=True, env=env, timeout=LIMIT)
    assert re.fullmatch(SAYS[script], result.stdout), result
