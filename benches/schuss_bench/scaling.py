"""How training scales with threads: what is measured, what follows, and as text."""

from __future__ import annotations

from .cases import NETWORKS, Case
from .measure import Session
from .report import circumstances, microseconds, table
from .words import network

NEAR = 1.05  # n_threads=None counts as well chosen up to this multiple of the best number's time
CHOSEN = "None"


def counts(cpus: int) -> list[int]:
    """1, 2, 4, ... up to the processors."""
    return sorted({*(2**n for n in range(cpus.bit_length()) if 2**n < cpus), cpus})


def too_many(cpus: int) -> list[int]:
    """More threads than processors."""
    return sorted({2 * cpus, max(2 * cpus, 16)})


def cases(names: list[str], cpus: int, pinned: bool) -> list[Case]:
    """The rows; jax is held on some of the processors where the system can do that (`pinned`)."""
    if unknown := [name for name in names if name not in NETWORKS]:
        raise ValueError(f"no network is called {', '.join(unknown)}; known are {', '.join(NETWORKS)}")
    few = counts(cpus)
    contenders = (
        "schuss",
        *(f"schuss-{count}" for count in (*few, *too_many(cpus))),
        *(f"torch-{count}" for count in few),
        *(f"jax-{count}" for count in few[:-1] if pinned),
        "jax",
    )
    return [
        Case("scale", name, contenders, *NETWORKS[name]) for name in NETWORKS if not names or name in names
    ]


def as_json(session: Session, cpus: int) -> dict:
    """Everything, as plain data."""
    rows = [
        row(result.case, {name: result.seconds(name) for name in result.turns if result.turns[name]}, cpus)
        for result in session.results
    ]
    return {**circumstances(session), "cpus": cpus, "oversubscribed": too_many(cpus)[-1], "rows": rows}


def row(case: Case, seconds: dict[str, float], cpus: int) -> dict:
    """One network as plain data: microseconds by number of threads, and the verdicts."""
    times: dict[str, dict[str, float]] = {}
    for contender, value in seconds.items():
        library, _, variant = contender.partition("-")
        # By itself jax takes all processors.
        count = variant or (CHOSEN if library == "schuss" else str(cpus))
        times.setdefault(library, {})[count] = 1e6 * value
    schuss = times.get("schuss", {})
    numbers = {count: value for count, value in schuss.items() if count != CHOSEN}
    best = min(numbers, key=numbers.__getitem__, default=None)
    peers = {(name, count): t for name in times if name != "schuss" for count, t in times[name].items()}
    peer = min(peers, key=peers.__getitem__, default=None)
    chosen, most = schuss.get(CHOSEN), str(too_many(cpus)[-1])
    return {
        "section": case.section,
        "name": case.name,
        "layers": list(case.layers),
        "batch": case.batch,
        "microseconds": times,
        "speed_up": {
            name: {count: values["1"] / value for count, value in values.items()}
            for name, values in times.items()
            if "1" in values
        },
        "best_threads": int(best) if best else None,
        "fastest_peer": {"library": peer[0], "threads": int(peer[1])} if peer else None,
        "ratio": peers[peer] / min(schuss.values()) if peer and schuss else None,
        "ratio_chosen": peers[peer] / chosen if peer and chosen else None,
        "chosen_to_best": chosen / numbers[best] if best and chosen else None,
        "oversubscribed": {
            "threads": int(most),
            "to_all_processors": schuss[most] / schuss[str(cpus)]
            if most in schuss and str(cpus) in schuss
            else None,
        },
    }


def text(run: dict) -> list[str]:
    """A table for each network, and one of the verdicts."""
    lines: list[str] = []
    for net in run["rows"]:
        lines += [
            "",
            f"{net['name']}: {network(net)}, {'-'.join(map(str, net['layers']))}",
            *_by_threads(net),
        ]
    head = [
        *("name", "fastest peer", "its us", "schuss's best", "us", "peer / best"),
        *(
            "None us",
            "peer / None",
            "None / best",
            "within 5 %",
            f"{run['oversubscribed']} threads / {run['cpus']}",
        ),
    ]
    return [
        *lines,
        "",
        "Each network at the best numbers of threads; None: the number that schuss chooses itself.",
        *table(head, [_verdict(net) for net in run["rows"]]),
    ]


def _by_threads(net: dict) -> list[str]:
    times, speed_up = net["microseconds"], net["speed_up"]
    numbers = sorted({int(count) for of in times.values() for count in of if count != CHOSEN})
    libraries = list(times)
    head = ["threads", *(word for name in libraries for word in (f"{name} us", "speed-up"))]
    rows = []
    for count in [*map(str, numbers), CHOSEN]:
        cells = [count]
        for name in libraries:
            value, gain = times[name].get(count), speed_up.get(name, {}).get(count)
            cells += [microseconds(value * 1e-6) if value else "", f"{gain:.2f}x" if gain else ""]
        rows.append(cells)
    return table(head, rows, 1)


def _verdict(net: dict) -> list[str]:
    schuss, peer, best = net["microseconds"].get("schuss", {}), net["fastest_peer"], net["best_threads"]
    over = net["oversubscribed"]["to_all_processors"]
    gap = net["chosen_to_best"]
    return [
        net["name"],
        f"{peer['library']}, {peer['threads']}" if peer else "-",
        _us(net["microseconds"][peer["library"]][str(peer["threads"])]) if peer else "-",
        str(best or "-"),
        _us(schuss.get(str(best))),
        _times(net["ratio"]),
        _us(schuss.get(CHOSEN)),
        _times(net["ratio_chosen"]),
        _times(gap),
        "-" if gap is None else "yes" if gap <= NEAR else "no",
        _times(over),
    ]


def _us(value: float | None) -> str:
    return microseconds(value * 1e-6) if value else "-"


def _times(value: float | None) -> str:
    return f"{value:.2f}x" if value else "-"
