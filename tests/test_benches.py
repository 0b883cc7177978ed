"""What the benchmarks say of the machine that they run on, and what they aim at there."""

import importlib
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
