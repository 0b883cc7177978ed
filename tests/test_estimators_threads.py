"""An estimator that chooses its own threads takes no more than joblib and threadpoolctl leave it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits

from schuss.estimators import MLPClassifier, _threads


def limits(backend, jobs):
    return Parallel(n_jobs=jobs, backend=backend)(delayed(_threads.limit)() for _ in range(2 * jobs))


@pytest.fixture(autouse=True)
def nothing_set_outside(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_of_joblib_share_the_cores(jobs):
    assert limits("loky", jobs) == [max(cpu_count() // jobs, 1)] * 2 * jobs


def test_a_process_takes_what_the_user_grants_it():
    with parallel_config("loky", inner_max_num_threads=2):
        granted = Parallel(n_jobs=2)(delayed(_threads.limit)() for _ in range(4))
    assert granted == [2] * 4


def test_threads_of_joblib_have_one_core_each():
    assert limits("threading", 2) == [1] * 4


def test_threadpoolctl_limits_and_releases():
    before = _threads.limit()
    with threadpool_limits(1):
        assert _threads.limit() == 1
    assert _threads.limit() == before


TRAINS = """
from pathlib import Path
import numpy as np
from threadpoolctl import threadpool_limits
from schuss.estimators import MLPClassifier

seen = set()
look = lambda *_: seen.update(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
rows = np.random.default_rng(0).normal(size=(2000, 64))
with threadpool_limits({limit}):
    MLPClassifier(hidden_layer_sizes=(256, 256), max_iter=2, callbacks=[look]).fit(rows, rows[:, 0] > 0)
print(any(name.startswith("schuss") for name in seen))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not list threads")
@pytest.mark.skipif(cpu_count() < 2, reason="one core")
@pytest.mark.parametrize(("limit", "has_helpers"), [(1, "False"), (2, "True")])
def test_a_training_takes_no_more_threads_than_the_limit(limit, has_helpers):
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAINS.format(limit=limit)], capture_output=True, text=True
    )
    assert run.stdout.strip() == has_helpers, run.stderr


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("early_stopping", [False, True])
def test_numbers_of_threads_that_are_compared_do_not_show(early_stopping):
    rows = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    labels = rows[:, 0] > rows[:, 1]
    settings = {"batch_size": 128, "max_iter": 20, "tol": 0.0, "early_stopping": early_stopping}
    model = MLPClassifier(hidden_layer_sizes=(64, 64), random_state=0, **settings)
    one, compared = (model.set_params(n_threads=n).fit(rows, labels).coefs_ for n in (1, None))
    for of_one, of_both in zip(one, compared, strict=True):
        np.testing.assert_array_equal(of_one, of_both)
