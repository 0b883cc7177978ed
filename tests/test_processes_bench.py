"""The measurements of several processes: the network that they simulate, the model, and the page of both."""

import contextlib
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import schuss as sc
from test_distributed import X, Y, together

ROOT = Path(__file__).parents[1]
BENCHES = ROOT / "benches"
LIMIT = 60  # seconds, to end a hang

pytestmark = pytest.mark.skipif(not BENCHES.exists(), reason="reads the benchmarks")


@pytest.fixture
def bench(monkeypatch):
    """A function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHES)
    yield lambda name: importlib.import_module(f"processes_bench.{name}")
    for name in [name for name in sys.modules if name.startswith(("processes_bench", "schuss_bench"))]:
        del sys.modules[name]


def test_packets_come_one_after_the_other_on_each_wire(bench):
    def wires():
        # A byte takes a second.
        return bench("switch").Wires(3, seconds=10.0, bits_per_second=8.0)

    alone = wires()
    assert alone.arrival(100.0, 0, 1, 5) == 115.0
    assert alone.arrival(101.0, 0, 1, 5) == 120.0  # when the first is on its way
    assert alone.arrival(101.0, 1, 0, 5) == 116.0  # the other way there is room
    shared = wires()
    assert shared.arrival(100.0, 0, 2, 5) == 115.0
    assert shared.arrival(100.0, 1, 2, 5) == 120.0  # two senders, one receiver
    spread = wires()
    assert spread.arrival(100.0, 0, 1, 5) == 115.0
    assert spread.arrival(100.0, 0, 2, 5) == 120.0  # one sender, two receivers


ECHO = """
import os, socket, sys, time
if os.environ["RANK"] == "1":
    with socket.create_server(("10.77.0.2", 7000)) as server:
        connection, _ = server.accept()
        connection.sendall(connection.recv(100))
        connection.recv(1)
else:
    for _ in range(500):
        try:
            connection = socket.create_connection(("10.77.0.2", 7000))
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    start = time.perf_counter()
    connection.sendall(b"to whom it may concern")
    echo = connection.recv(100)
    print(time.perf_counter() - start, echo.decode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has namespaces")
def test_a_message_takes_the_delay_of_the_simulated_network_each_way(bench):
    launch, delay = bench("launch"), 0.05
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A path that is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="a-long-name-" * 10) as folder, contextlib.ExitStack() as ends:
        inside = ends.enter_context(launch._switch(folder, 2, bench("cases").Link(1e3 * delay, 1)))
        hosts = []
        for rank in (0, 1):
            host = [*inside, sys.executable, "-c", ECHO]
            hosts.append(subprocess.Popen(host, env={"RANK": str(rank)}, **pipes))
            ends.callback(hosts[-1].kill)
        said = [of.communicate(timeout=LIMIT) for of in hosts]
    if "PermissionError" in said[0][1] or "no network namespace" in said[0][1]:
        pytest.skip("this system gives no network namespaces")
    assert hosts[0].returncode == 0, said
    seconds, echo = said[0][0].split(maxsplit=1)
    assert echo == "to whom it may concern\n"
    assert float(seconds) >= 2 * delay


def test_a_switch_that_ends_is_a_failure_and_not_a_wait(bench, tmp_path):
    launch, link = bench("launch"), bench("cases").Link(1, 1)
    tmp_path.joinpath("switch").symlink_to("nowhere")  # where its socket would be
    with pytest.raises(launch.Failed, match="Address already in use"), launch._switch(tmp_path, 2, link):
        pass


def test_a_switch_does_without_what_the_system_has_not(bench, monkeypatch):
    switch = bench("switch")
    for name in ("sched_setscheduler", "SCHED_FIFO", "sched_param"):
        monkeypatch.delattr(switch.os, name, raising=False)
    monkeypatch.setattr(switch.ctypes, "CDLL", lambda name: object())
    switch.be_prompt()


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_model_counts_what_a_training_sends(bench, size):
    model, cases = bench("model"), bench("cases")
    told = {"Alltoallv": [], "Allgather": []}

    def fit(comm):
        if comm.Get_rank() == 0:
            for name in told:
                works = getattr(comm, name)

                def counts(mine, theirs, name=name, works=works):
                    of = theirs[0] if isinstance(theirs, list) else mine
                    told[name].append(memoryview(of).nbytes)
                    return works(mine, theirs)

                setattr(comm, name, counts)
        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(X, Y, optimizer=sc.Adam(), n_shards=8, comm=comm, batch_size=100, epochs=1)

    assert together(size, fit) == [None] * size
    steps, gradient = 3, 4 * cases.parameters([6, 11, 1])
    # A part of the gradient from each, itself included; then the sum of each part.
    assert all(abs(of_all - gradient) <= 4 * size for of_all in told["Alltoallv"][::2])
    assert told["Alltoallv"][1::2] == [gradient] * steps
    assert len(told["Alltoallv"]) == 2 * steps
    losses_and_weights = 8 * (1 + 2 * cases.share(8, size))
    assert told["Allgather"].count(losses_and_weights) >= steps

    # Where only one thing costs something, the model is a count of it.
    others = gradient * (size - 1) / size
    assert model.exchange(size, gradient, model.Wire(message=0.0, byte=0.0, adding=1.0)) == others
    assert model.exchange(size, gradient, model.Wire(message=0.0, byte=1.0)) == pytest.approx(2 * others)
    latency = model.Wire(message=1.0, byte=0.0)
    assert model.exchange(size, gradient, latency) == model.levels(size) + 2
    long = 2 * model.PIECE
    assert model.exchange(size, long, latency) == model.levels(size) + 2 * 2
    assert model.exchange(65, long, latency) == model.levels(65) + 2 * 2 * 2


def test_constants_are_found_again(bench):
    model = bench("model")
    wire = model.Wire(message=1e-4, byte=1e-9, asking=3e-4)
    messages = {str(size): wire.seconds(size) for size in bench("of_schuss").MESSAGES}
    found = model.wire_of(messages, 0.0)
    assert [found.message, found.byte, found.asking] == pytest.approx([1e-4, 1e-9, 3e-4])
    work = model.work_of([(rows, 1e-3 + 2e-6 * rows) for rows in (32, 100, 1000)])
    assert [work.step, work.row] == pytest.approx([1e-3, 2e-6])
    # A batch may have as many rows as a part of another: both count.
    assert model.work_of([(32, 1.0), (32, 3.0), (64, 2.0)]).seconds(32) == pytest.approx(1.2)
    # Nothing takes less than no time.
    steep = model.work_of([(rows, 2e-6 * rows - 1e-5) for rows in (32, 100, 1000)])
    assert steep.step == 0
    assert steep.row > 0
    assert model.rows_for_half(8, wire, work, 1e6) == pytest.approx(
        (model.exchange(8, 1e6, wire) - 1e-3) / 2e-6
    )


def test_the_page_has_the_tables_of_its_numbers(bench):
    report = bench("report")
    page, run = (ROOT / "docs/scale.md").read_text(), json.loads((ROOT / "docs/_data/scale.json").read_text())
    assert set(report.tables(run)) > {"steps", "networks", "ranks", "memory", "batches"}
    assert report.filled(page, run) == page
    with pytest.raises(ValueError, match="no place for the table 'when'"):
        report.filled("another page", run)


def stored_run():
    return json.loads((ROOT / "docs/_data/scale.json").read_text())


def test_each_part_is_of_the_machine_that_measured_it(bench):
    report, run = bench("report"), stored_run()
    first = report.when(run)
    assert first.index("(family 25), 2 cores") < first.index("- accuracy") < first.index("(family 26)")
    assert [names for names, _ in report.machines(run)] == [["accuracy"], list(run["parts"])[1:]]
    networks = run["parts"]["networks"] = {**run["parts"]["networks"], "versions": {"torch": "2.15.0"}}
    assert report.when(run).count("; torch 2.15.0:\n\n- networks: ") == 1
    of_two = report.predicted(run["parts"])
    networks["machine"] = {**networks["machine"], "usable_cpus": 4, "cores": 4}
    assert "another machine" not in first
    assert "another machine" in report.when(run)
    for two, four in zip(of_two, report.predicted(run["parts"]), strict=True):
        assert two["computes"] == four["computes"] * max(1, two["size"] / 2)


def test_a_stored_run_is_drawn_again_without_a_look_at_this_machine(bench, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    bench("report")
    command, machine = (importlib.import_module(name) for name in ("processes", "schuss_bench.machine"))
    page = tmp_path / "scale.md"
    page.write_text((ROOT / "docs/scale.md").read_text())
    for name, path in {
        "PAGE": page,
        "STORED": tmp_path / "data/a.json",
        "PICTURE": tmp_path / "a.png",
    }.items():
        monkeypatch.setattr(command, name, path)
    monkeypatch.delattr(machine, "describe")
    monkeypatch.setattr(
        sys, "argv", ["processes.py", "--redraw", "--docs", "--json", str(ROOT / "docs/_data/scale.json")]
    )
    command.main()
    assert page.read_text() == (ROOT / "docs/scale.md").read_text()
    assert json.loads((tmp_path / "data/a.json").read_text()) == stored_run()
    assert (tmp_path / "a.png").exists()
    assert "accuracy:\nProcessor: AMD EPYC, family 25" in capsys.readouterr().out
    old = tmp_path / "old.json"
    for content, why in (
        ('{"parts": {"steps": {}}}', "does not say on which machine it has measured steps"),
        (None, "has no stored run"),
    ):
        if content:
            old.write_text(content)
        else:
            old.unlink()
        monkeypatch.setattr(sys, "argv", ["processes.py", "--redraw", "--json", str(old)])
        with pytest.raises(SystemExit):
            command.main()
        assert why in capsys.readouterr().err
    del sys.modules["processes"]


@pytest.mark.parametrize(
    "failed", [["part of 3"], ["1 thread"], ["1 thread", "part of 2", "part of 3", "part of 4"]]
)
def test_a_report_leaves_out_what_failed(bench, failed, tmp_path):
    report, run = bench("report"), stored_run()
    whole = report.tables(run)
    for row in run["parts"]["steps"]["rows"]:
        for name in failed:
            del row["seconds"][name]
    found = report.tables(run)
    none = len(failed) == 4
    assert set(whole) - set(found) == ({"networks", "ranks", "half", "overlap"} if none else set())
    if failed == ["part of 3"]:
        assert "2 processes, ms | model | 4 processes, ms | model" in found["networks"]
    pytest.importorskip("matplotlib")
    assert bench("chart").draw(run, tmp_path / "a.png") is not none


def test_what_cannot_take_part_is_told_and_the_others_are_measured(bench):
    measure, launch = bench("measure"), bench("launch")

    def fails():
        raise launch.Failed("not here")

    medians, failures = measure.in_turns(
        {"one": iter([[1.0], [5.0], [2.0]]).__next__, "two": fails}, rounds=3
    )
    assert medians == {"one": [2.0]}
    assert failures == {"two": "not here"}
