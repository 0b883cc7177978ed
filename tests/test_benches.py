"""What the benchmarks say of the machine that they run on, and what they aim at there."""

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).parents[1] / "benches"

pytestmark = pytest.mark.skipif(not BENCHES.exists(), reason="reads the benchmarks")


@pytest.fixture
def bench(monkeypatch):
    """A function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHES)
    yield lambda name: importlib.import_module(f"schuss_bench.{name}")
    for name in [name for name in sys.modules if name.startswith("schuss_bench")]:
        del sys.modules[name]


INTEL = """
processor : {cpu}
vendor_id : GenuineIntel
cpu family : 6
model : 143
model name : Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
stepping : 8
flags : fpu sse2 fma avx2 avx512f avx512dq avx512bw avx512vl hypervisor avx512_bf16 amx_bf16 amx_tile amx_int8
"""
AMD = """
processor : {cpu}
vendor_id : AuthenticAMD
cpu family : 25
model : 17
model name : AMD EPYC
stepping : 0
flags : fpu sse2 fma avx2 avx512f avx512dq avx512bw avx512vl avx512_bf16
"""
ARM = """
processor : {cpu}
BogoMIPS : 2100.00
Features : fp asimd evtstrm sve i8mm bf16
CPU implementer : 0x41
CPU architecture: 8
CPU variant : 0x1
CPU part : 0xd40
CPU revision : 1
"""


def machine_of(root, cpuinfo, cpus, threads_of_a_core=1, caches=(), files=None):
    """A tree as Linux has it: `caches` are (level, type, size, how many processors share one)."""

    def write(path, text):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")

    def group(cpu, size):
        first = cpu - cpu % size
        return f"{first}-{first + size - 1}" if size > 1 else str(cpu)

    write("proc/cpuinfo", "\n\n".join(cpuinfo.format(cpu=cpu).strip() for cpu in range(cpus)))
    for cpu in range(cpus):
        folder = f"sys/devices/system/cpu/cpu{cpu}"
        write(f"{folder}/topology/physical_package_id", "0")
        write(f"{folder}/topology/core_cpus_list", group(cpu, threads_of_a_core))
        for index, (level, kind, size, shared) in enumerate(caches):
            write(f"{folder}/cache/index{index}/level", level)
            write(f"{folder}/cache/index{index}/type", kind)
            write(f"{folder}/cache/index{index}/size", size)
            write(f"{folder}/cache/index{index}/shared_cpu_list", group(cpu, shared))
    for path, text in (files or {}).items():
        write(path, text)


def test_an_intel_machine_with_two_threads_a_core(bench, tmp_path):
    caches = [(1, "Data", "48K", 2), (1, "Instruction", "32K", 2), (2, "Unified", "2048K", 2)]
    files = {
        "proc/meminfo": "MemTotal:       16384 kB\nMemFree:  1 kB",
        "sys/devices/system/node/node0/cpulist": "0-3",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "sys/fs/cgroup/cpu.max": "150000 100000",
    }
    machine_of(tmp_path, INTEL, 4, 2, [*caches, (3, "Unified", "105M", 4)], files)
    machine = bench("machine")
    found = machine.linux(tmp_path)
    assert found == {
        "make": "Intel",
        "processor": "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
        "family": 6,
        "model": 143,
        "stepping": 8,
        "cpus": 4,
        "cores": 2,
        "sockets": 1,
        "numa_nodes": 1,
        "caches": [
            {"name": "L1d", "bytes": 48 * 2**10, "count": 2, "cpus": 2},
            {"name": "L2", "bytes": 2 * 2**20, "count": 2, "cpus": 2},
            {"name": "L3", "bytes": 105 * 2**20, "count": 1, "cpus": 4},
        ],
        "instruction_sets": [
            *("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"),
            *("amx_tile", "amx_bf16", "amx_int8"),
        ],
        "memory_bytes": 16 * 2**20,
        "huge_pages": "madvise",
        "cpu_limit": 1.5,
        "virtual": True,
    }
    assert machine.spread(range(4), tmp_path) == [0, 2, 1, 3]
    lines = machine.text({**found, "system": "Linux", "usable_cpus": 4, "python": "CPython 3.14"})
    assert "Caches: L1d 2 x 48 KiB (each shared by 2), L2 2 x 2 MiB (each shared by 2)" in "\n".join(lines)
    assert machine.short({**found, "usable_cpus": 4}).endswith(", 2 cores with 4 threads")


def test_an_amd_machine(bench, tmp_path):
    files = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13"',
        "proc/sys/kernel/osrelease": "6.12.1",
    }
    machine_of(tmp_path, AMD, 4, 1, [(3, "Unified", "32768K", 2)], files)
    machine = bench("machine")
    found = machine.linux(tmp_path)
    expected = {"make": "AMD", "processor": "AMD EPYC", "family": 25, "model": 17, "stepping": 0}
    assert found.items() >= expected.items()
    assert machine.short({**found, "usable_cpus": 2}).startswith("AMD EPYC (family 25), 2 cores")
    assert machine.short({**found, "processor": "AMD EPYC 9654", "usable_cpus": 2}).startswith(
        "AMD EPYC 9654, "
    )
    assert found["caches"] == [{"name": "L3", "bytes": 32 * 2**20, "count": 2, "cpus": 2}]
    assert (found["governor"], found["system"]) == ("performance", "Debian GNU/Linux 13, Linux 6.12.1")
    assert not {"virtual", "memory_bytes", "numa_nodes", "cpu_limit"} & set(found)
    assert machine.spread([3, 1], tmp_path) == [1, 3]


def test_an_arm_machine(bench, tmp_path):
    machine_of(tmp_path, ARM, 2)
    found = bench("machine").linux(tmp_path)
    assert found == {
        "make": "Arm",
        "processor": "Arm Neoverse V1",
        "revision": "r1p1",
        "cpus": 2,
        "cores": 2,
        "sockets": 1,
        "instruction_sets": ["asimd", "sve", "bf16", "i8mm"],
    }


def test_a_mac(bench):
    found = bench("machine").macos(
        "hw.memsize: 17179869184\nhw.logicalcpu: 8\nhw.physicalcpu: 8\nhw.packages: 1\n"
        "hw.perflevel0.l1dcachesize: 131072\nhw.l1dcachesize: 65536\nhw.l2cachesize: 4194304\n"
        "hw.optional.AdvSIMD: 1\nhw.optional.arm.FEAT_BF16: 0\nhw.optional.arm.FEAT_I8MM: 1\n"
        "machdep.cpu.brand_string: Apple M2\nkern.hv_vmm_present: 0\n"
    )
    assert found == {
        "make": "Apple",
        "processor": "Apple M2",
        "cpus": 8,
        "cores": 8,
        "sockets": 1,
        "caches": [{"name": "L1d", "bytes": 2**17}, {"name": "L2", "bytes": 2**22}],
        "instruction_sets": ["asimd", "i8mm"],
        "memory_bytes": 2**34,
    }


def test_windows(bench):
    found = bench("machine").windows("AMD Ryzen 9 ", "AuthenticAMD", "AMD64 Family 25 Model 33 Stepping 2")
    assert found == {"make": "AMD", "processor": "AMD Ryzen 9", "family": 25, "model": 33, "stepping": 2}


def test_a_system_that_tells_nothing_is_described_all_the_same(bench, tmp_path, monkeypatch):
    machine = bench("machine")
    assert machine.linux(tmp_path) == {"make": "unknown"}
    monkeypatch.setattr(sys, "platform", "plan9")
    found = machine.describe()
    assert found["make"] == "unknown"
    assert found["usable_cpus"] >= 1
    assert machine.text(found)[-1].endswith(found["python"])


def test_this_machine_is_described(bench):
    machine = bench("machine")
    found = machine.describe()
    assert found["processor"]
    assert 1 <= found["usable_cpus"] == len(machine.spread(machine.usable_cpus()))
    assert machine.text(found)


def test_goals_may_depend_on_the_make_of_the_processor(bench):
    cases = bench("cases")
    goals = {case.name: case for case in cases.TRAIN}
    assert [goals["tiny"].goal_on(make) for make in ("AMD", "Intel", "Arm")] == [2.3, 6, None]
    assert [goals["wide"].goal_on(make) for make in ("AMD", "Arm")] == [1.3, 1.3]
    assert cases.select(["bfloat16"]) == cases.BFLOAT16
    assert hash(goals["tiny"]) == hash(goals["tiny"])


def test_threads_are_counted_up_to_the_processors_and_beyond(bench):
    scaling = bench("scaling")
    assert [scaling.counts(n) for n in (1, 2, 6, 16)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8, 16]]
    assert [scaling.too_many(n) for n in (2, 8, 16)] == [[4, 16], [16], [32]]
    with pytest.raises(ValueError, match="smal"):
        scaling.cases(["smal"], 2, pinned=True)


def scale_run(bench, seconds):
    scaling = bench("scaling")
    (case,) = scaling.cases(["small"], 2, pinned=True)
    assert set(seconds) <= set(case.contenders)
    session = bench("measure").Session()
    session.results.append(bench("measure").Result(case, {name: [value] for name, value in seconds.items()}))
    session.versions["torch"] = "torch 2.15"
    return scaling.as_json(session, 2)


def test_scaling_is_judged_by_the_best_number_of_threads(bench):
    times = {"schuss": 21e-6, "schuss-1": 38e-6, "schuss-2": 20e-6, "schuss-4": 25e-6, "schuss-16": 30e-6}
    peers = {"torch-1": 80e-6, "torch-2": 90e-6, "jax-1": 50e-6, "jax": 40e-6}
    run = scale_run(bench, times | peers)
    (row,) = run["rows"]
    assert row["fastest_peer"] == {"library": "jax", "threads": 2}
    assert row["best_threads"] == 2
    assert row["speed_up"]["schuss"]["2"] == pytest.approx(1.9)
    assert row["speed_up"]["jax"]["2"] == pytest.approx(1.25)
    assert row["ratio"] == pytest.approx(2)
    assert row["ratio_chosen"] == pytest.approx(40 / 21)
    assert row["chosen_to_best"] == pytest.approx(1.05)
    assert row["oversubscribed"] == {"threads": 16, "to_all_processors": pytest.approx(1.5)}
    lines = bench("scaling").text(run)
    assert "64-64 network, 16 inputs, batch 128" in "\n".join(lines)
    assert " ".join(lines[-1].split()) == "small jax, 2 40 2 20 2.00x 21 1.90x 1.05x yes 1.50x"


def test_scaling_is_told_where_contenders_are_missing(bench):
    run = scale_run(bench, {"schuss-1": 38e-6})
    (row,) = run["rows"]
    assert (row["ratio"], row["chosen_to_best"], row["fastest_peer"]) == (None, None, None)
    assert bench("scaling").text(run)[-1].split()[:4] == ["small", "-", "-", "1"]


def test_pictures_are_drawn_from_stored_runs(bench, tmp_path):
    pytest.importorskip("matplotlib")
    run = scale_run(bench, {"schuss": 2e-5, "schuss-1": 4e-5, "schuss-2": 2e-5, "torch-1": 8e-5})
    assert bench("scale_chart").draw(json.loads(json.dumps(run)), tmp_path / "scale.png")
    assert not bench("scale_chart").draw({**run, "rows": []}, tmp_path / "none.png")

    measure = bench("measure")
    session = measure.Session(peak={"cores": 2, "float32": {"one core": 100, "all cores": 200}})
    for case in bench("cases").select(["small"]):
        turns = {name: [1e-4 * (n + 1)] for n, name in enumerate(case.contenders)}
        session.results.append(measure.Result(case, turns))
    stored = json.loads(json.dumps(bench("report").as_json(session)))
    assert bench("chart").draw(stored, tmp_path / "bench.png")
    assert not bench("chart").draw({**stored, "rows": []}, tmp_path / "none.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.png", "scale.png"]


def test_a_contender_that_fails_is_named_and_the_others_go_on(bench, capfd):
    measure, cases = bench("measure"), bench("cases")
    session = measure.Session()
    case = cases.Case("one_row", "tiny", ("nobody", "numpy"), (8, 32, 1), 1)
    with measure.Workers() as workers:
        result = measure._measure(case, 2, 0.001, workers, session)
    assert list(session.failures) == ["one_row/tiny nobody"]
    assert "nobody" in session.failures["one_row/tiny nobody"]
    assert len(result.turns["numpy"]) == 2
    assert result.fastest_peer == "numpy"


def test_a_process_that_has_died_is_replaced_by_one_that_is_ready(bench, monkeypatch):
    measure, cases = bench("measure"), bench("cases")
    session = measure.Session()
    case = cases.Case("one_row", "tiny", ("numpy",), (8, 32, 1), 1)
    with measure.Workers() as workers:

        def die(seconds):
            process = workers._workers["numpy"]._process
            process.kill()
            process.join()

        monkeypatch.setattr(measure.time, "sleep", die)
        result = measure._measure(case, 2, 0.001, workers, session)
    assert session.failures == {}
    assert len(result.turns["numpy"]) == 2


def test_a_process_sees_as_many_processors_as_can_run_at_once(bench):
    held_on, threads = bench("worker").held_on, bench("machine").threads
    at_once = threads({"usable_cpus": 4, "cpu_limit": 2.5})
    assert len(held_on(None, [0, 1, 2, 3], at_once)) == 2
    assert len(held_on(1, [0, 1, 2, 3], at_once)) == 1
    assert held_on(None, [0, 1], threads({"usable_cpus": 2})) == []


@pytest.mark.parametrize("library", ["numpy", "sklearn"])
def test_a_library_with_a_blas_has_one_thread_or_all_for_its_predictions(bench, monkeypatch, library):
    pytest.importorskip("sklearn")
    openblas, contender = bench("openblas"), bench(f"contenders.{library}")
    monkeypatch.setattr(bench("machine"), "one_or_all", lambda: [1, 2, 3])
    monkeypatch.setattr(openblas, "fastest", lambda ways: ways)
    (case, *_) = bench("cases").ONE_ROW
    assert len(contender.predict(case)) == 3


def test_the_fastest_way_is_not_that_of_one_lucky_turn(bench):
    def way(*seconds):
        turns = iter([9.0, *seconds])  # the first one is to get warm
        return lambda times: next(turns)

    steady, lucky = way(2, 2, 2, 2, 2), way(1, 3, 3, 1, 3)
    assert bench("timing").fastest([lucky, steady]) is steady
