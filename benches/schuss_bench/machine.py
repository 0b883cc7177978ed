"""Where a benchmark ran, as plain data and as text. What a system does not tell is left out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

# The instruction sets that matter here, by Linux's names; those of other systems are translated to them.
INSTRUCTION_SETS = (
    *("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"),
    *("amx_tile", "amx_bf16", "amx_int8", "asimd", "sve", "sve2", "bf16", "i8mm", "sme"),
)
OTHER_NAMES = {
    "advsimd": "asimd",
    "neon": "asimd",
    "feat_bf16": "bf16",
    "feat_sme": "sme",
    "feat_i8mm": "i8mm",
}
MAKERS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "0x41": "Arm", "0x61": "Apple", "0xc0": "Ampere"}
ARM_PARTS = {"0xd0c": "Neoverse N1", "0xd40": "Neoverse V1", "0xd49": "Neoverse N2", "0xd4f": "Neoverse V2"}
CACHE_KINDS = {"Data": "d", "Instruction": "i", "Unified": ""}


def describe() -> dict:
    """This machine. Every key may be absent, but for `make`, `processor` and `python`."""
    reader = {"linux": linux, "darwin": _this_mac, "win32": _this_windows}.get(sys.platform, dict)
    found: dict = {}
    with contextlib.suppress(OSError, ValueError, AttributeError, subprocess.SubprocessError):
        found = reader()
    found.setdefault("system", platform.platform())
    return {
        "make": "unknown",
        "processor": platform.processor() or platform.machine(),
        **found,
        "usable_cpus": len(usable_cpus()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def usable_cpus() -> list[int]:
    """The processors that this process may use; on systems that do not say, all."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def threads(found: dict) -> int:
    """How many threads can run at once in this process, a container's limit respected."""
    return max(1, min(found["usable_cpus"], int(found.get("cpu_limit", found["usable_cpus"]))))


def one_or_all() -> list[int]:
    """The numbers of threads of which a library gets the better one: small work is done sooner by one."""
    return sorted({1, threads(describe())})


def load_average() -> float | None:
    """That of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def load_text(load: float | None) -> list[str]:
    """What else the machine was doing, as a line, where it is known."""
    busy = " (other work ran just before, or still runs)"
    return [] if load is None else [f"Load average when it began: {load:.1f}" + busy * (load > 0.5)]


def spread(cpus: Iterable[int], root: Path = Path("/")) -> list[int]:
    """The processors in the order in which to use some: one of each core before the second of any."""

    def place(cpu: int) -> tuple[int, int]:
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        siblings = _numbers(_read(topology / "core_cpus_list") or _read(topology / "thread_siblings_list"))
        return (siblings.index(cpu) if cpu in siblings else 0), cpu

    return sorted(cpus, key=place)


# Linux


def linux(root: Path = Path("/")) -> dict:
    """What /proc and /sys say."""
    processors = [_fields(part) for part in _read(root / "proc/cpuinfo").split("\n\n") if part.strip()]
    first = next(
        (p for p in processors if "flags" in p or "Features" in p), processors[0] if processors else {}
    )
    flags = (first.get("flags") or first.get("Features") or "").split()
    memory = re.search(r"MemTotal:\s+(\d+) kB", _read(root / "proc/meminfo"))
    governor = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    pages = re.search(r"\[(\w+)\]", _read(root / "sys/kernel/mm/transparent_hugepage/enabled"))
    return _present(
        **_processor(first),
        **_topology(root, len(processors)),
        caches=_caches(root),
        instruction_sets=_instruction_sets(flags),
        memory_bytes=int(memory[1]) * 1024 if memory else None,
        huge_pages=pages and pages[1],
        governor=governor,
        cpu_limit=_cpu_limit(root),
        virtual="hypervisor" in flags or None,
        product=_product(root),
        system=_linux_system(root),
    )


def _processor(fields: dict[str, str]) -> dict:
    if "CPU implementer" in fields:
        make = MAKERS.get(fields["CPU implementer"], "unknown")
        part = ARM_PARTS.get(fields.get("CPU part", ""), f"part {fields.get('CPU part', '?')}")
        revision = f"r{int(fields.get('CPU variant', '0'), 16)}p{fields.get('CPU revision', '0')}"
        return {"make": make, "processor": f"{make} {part}", "revision": revision}
    numbers = {"family": "cpu family", "model": "model", "stepping": "stepping"}
    return {
        "make": MAKERS.get(fields.get("vendor_id", ""), "unknown"),
        "processor": fields.get("model name"),
        **{name: int(fields[key]) for name, key in numbers.items() if fields.get(key, "").isdigit()},
    }


def _topology(root: Path, listed: int) -> dict:
    """Logical processors, cores, sockets and NUMA nodes."""
    cpus = _cpu_folders(root)
    tell = [cpu / "topology" for cpu in cpus]
    cores = {_read(t / "core_cpus_list") or _read(t / "thread_siblings_list") for t in tell} - {""}
    sockets = {_read(t / "physical_package_id") for t in tell} - {""}
    nodes = list((root / "sys/devices/system/node").glob("node[0-9]*"))
    counts = {
        "cpus": len(cpus) or listed,
        "cores": len(cores),
        "sockets": len(sockets),
        "numa_nodes": len(nodes),
    }
    return {name: count or None for name, count in counts.items()}


def _caches(root: Path) -> list[dict]:
    """Name, size, how many there are and how many logical processors share each."""
    found: dict[tuple, set[str]] = {}
    for cpu in _cpu_folders(root):
        for cache in cpu.glob("cache/index[0-9]*"):
            kind = CACHE_KINDS.get(_read(cache / "type"), "?")
            size = re.fullmatch(r"(\d+)([KM])", _read(cache / "size"))
            if kind == "i" or not size:
                continue
            size = int(size[1]) * {"K": 2**10, "M": 2**20}[size[2]]
            shared = _read(cache / "shared_cpu_list")
            key = (f"L{_read(cache / 'level')}{kind}", size, len(_numbers(shared)))
            found.setdefault(key, set()).add(shared)
    return [
        {"name": name, "bytes": size, "count": len(where), "cpus": cpus}
        for (name, size, cpus), where in sorted(found.items())
    ]


def _cpu_limit(root: Path) -> float | None:
    """How many processors' time a container may use, where it is limited."""
    limit = re.fullmatch(r"(\d+) (\d+)", _read(root / "sys/fs/cgroup/cpu.max"))
    return int(limit[1]) / int(limit[2]) if limit else None


def _product(root: Path) -> str | None:
    """The name of the computer, such as a cloud's kind of machine."""
    names = [_read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    return " ".join(name for name in names if name) or None


def _linux_system(root: Path) -> str | None:
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read(root / "etc/os-release"), re.MULTILINE)
    kernel = _read(root / "proc/sys/kernel/osrelease")
    return ", ".join(part for part in (name and name[1], kernel and f"Linux {kernel}") if part) or None


def _cpu_folders(root: Path) -> list[Path]:
    return list((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))


# macOS and Windows


def _this_mac() -> dict:
    command = ["sysctl", "hw", "machdep.cpu", "kern.hv_vmm_present"]
    answer = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    return macos(answer.stdout) | {"system": f"macOS {platform.mac_ver()[0]}"}


def macos(sysctl: str) -> dict:
    """What `sysctl hw machdep.cpu` says."""
    says = _fields(sysctl)
    name = says.get("machdep.cpu.brand_string", "")
    features = (
        f"{says.get('machdep.cpu.features', '')} {says.get('machdep.cpu.leaf7_features', '')}".lower().split()
    )
    arm = [key.rpartition(".")[2].lower() for key, on in says.items() if "optional" in key and on == "1"]
    number = {key: int(value) for key, value in says.items() if value.isdigit()}
    # Of processors with two kinds of cores, the fast ones.
    caches = {
        label: number.get(f"hw.perflevel0.{key}") or number.get(f"hw.{key}")
        for label, key in (("L1d", "l1dcachesize"), ("L2", "l2cachesize"), ("L3", "l3cachesize"))
    }
    return _present(
        make=next((make for make in ("Apple", "Intel", "AMD") if make in name), "unknown"),
        processor=name or None,
        family=number.get("machdep.cpu.family"),
        model=number.get("machdep.cpu.model"),
        stepping=number.get("machdep.cpu.stepping"),
        cpus=number.get("hw.logicalcpu"),
        cores=number.get("hw.physicalcpu"),
        sockets=number.get("hw.packages"),
        caches=[{"name": label, "bytes": size} for label, size in caches.items() if size],
        instruction_sets=_instruction_sets([*features, *arm]),
        memory_bytes=number.get("hw.memsize"),
        virtual=says.get("kern.hv_vmm_present") == "1" or None,
        product=says.get("hw.model"),
    )


def _this_windows() -> dict:
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
        names = ("ProcessorNameString", "VendorIdentifier", "Identifier")
        values = [str(winreg.QueryValueEx(key, name)[0]) for name in names]
    kernel = ctypes.windll.kernel32
    kilobytes = ctypes.c_ulonglong()
    known = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    # The numbers are PF_AVX2_INSTRUCTIONS_AVAILABLE and so on, of winnt.h.
    features = {"avx2": 40, "avx512f": 41, "asimd": 19}
    return windows(*values) | _present(
        cpus=os.cpu_count(),
        memory_bytes=kilobytes.value * 1024 if known else None,
        instruction_sets=[name for name, n in features.items() if kernel.IsProcessorFeaturePresent(n)],
    )


def windows(name: str, vendor: str, identifier: str) -> dict:
    """What the registry says of the first processor."""
    numbers = re.search(r"Family (\d+) Model (\d+) Stepping (\d+)", identifier)
    return {
        "make": MAKERS.get(vendor, "unknown"),
        "processor": name.strip(),
        **(
            dict(zip(("family", "model", "stepping"), map(int, numbers.groups()), strict=True))
            if numbers
            else {}
        ),
    }


# Text


def text(machine: dict) -> list[str]:
    """A machine in some lines."""
    lines = {
        "Processor": _listed(
            machine["processor"],
            *(
                f"{key} {machine[key]}"
                for key in ("family", "model", "stepping", "revision")
                if key in machine
            ),
        ),
        "Cores": _listed(
            *_counted(
                machine, cores="core", sockets="socket", numa_nodes="NUMA node", cpus="logical processor"
            ),
            f"{machine['usable_cpus']} for this process",
            f"of which the time of {machine['cpu_limit']:g}" if "cpu_limit" in machine else "",
        ),
        "Caches": _listed(*map(_cache, machine.get("caches", []))),
        "Instruction sets": " ".join(machine.get("instruction_sets", [])),
        "Memory": _listed(
            _size(machine.get("memory_bytes")),
            f"transparent huge pages: {machine['huge_pages']}" if "huge_pages" in machine else "",
        ),
        "System": _listed(
            machine.get("product"),
            "virtual machine" if machine.get("virtual") else "",
            machine["system"],
            f"governor {machine['governor']}" if "governor" in machine else "",
            machine["python"],
        ),
    }
    return [f"{name}: {value}" for name, value in lines.items() if value]


def short(machine: dict) -> str:
    """The processor and how many cores, for a title; its family where the name has no number."""
    cpus, name = machine["usable_cpus"], machine["processor"]
    if machine.get("family") and not any(letter.isdigit() for letter in name):
        name += f" (family {machine['family']})"
    cores = min(cpus, machine.get("cores", cpus))
    threads = f" with {cpus} threads" if cpus > cores else ""
    return f"{name}, {cores} core{'s' * (cores > 1)}{threads}"


def _cache(cache: dict) -> str:
    if "count" not in cache:
        return f"{cache['name']} {_size(cache['bytes'])}"
    shared = f" (each shared by {cache['cpus']})" if cache["cpus"] > 1 else ""
    return f"{cache['name']} {cache['count']} x {_size(cache['bytes'])}{shared}"


def _counted(machine: dict, **names: str) -> list[str]:
    return [
        f"{machine[key]} {name}{'s' * (machine[key] > 1)}" for key, name in names.items() if key in machine
    ]


def _listed(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _size(count: int | None) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count and count >= size:
            return f"{count / size:.3g} {unit}"
    return ""


# Reading


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _fields(lines: str) -> dict[str, str]:
    """`name : value` of each line."""
    pairs = (line.partition(":") for line in lines.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _numbers(listed: str) -> list[int]:
    """`0-3,8` as numbers."""
    ranges = (part.partition("-") for part in listed.split(",") if part)
    return [n for first, _, last in ranges for n in range(int(first), int(last or first) + 1)]


def _instruction_sets(flags: Iterable[str]) -> list[str]:
    known = {OTHER_NAMES.get(flag, flag) for flag in flags}
    return [name for name in INSTRUCTION_SETS if name in known]


def _present(**values) -> dict:
    return {name: value for name, value in values.items() if value not in (None, "", [])}
