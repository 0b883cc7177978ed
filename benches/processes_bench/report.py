"""The measurements as tables, which are those of docs/scale.md."""

from __future__ import annotations

from typing import NamedTuple

from schuss_bench import machine

from . import model
from .cases import LAYERS, SHARDS, Link, parameters, share

BEGIN, END = "<!-- {}: `make processes` writes what follows -->", "<!-- end -->"
BUSY = 0.5  # a load average
TIMED = ("steps", "shards", "networks")
MODELLED = ("steps", "networks")
RANKS = (1, 8, 64, 1000)
Table = list[list[str]]


class World(NamedTuple):
    """A network to train, and the network between processes, of which there may be many."""

    name: str
    link: str
    wire: model.Wire
    work: model.Work
    size: int  # bytes of a gradient


def tables(run: dict) -> dict[str, str]:
    """Every table of a run, by its name, as Markdown."""
    parts = run["parts"]
    found: dict[str, Table] = {}
    if "steps" in parts:
        found["steps"] = _steps(parts["steps"])
        found["overlap"] = _overlap(parts["steps"])
    if "shards" in parts:
        found["shards"] = _shards(parts["shards"])
    if parts.get("networks", {}).get("links") and "messages" in parts.get("steps", {}):
        found["links"] = _links(parts["networks"], parts["steps"])
        found["networks"] = _networks(predicted(parts))
        found["ranks"] = _ranks(parts)
        found["half"] = _half(parts)
    if "memory" in parts:
        found["memory"] = _memory(parts["memory"])
    if "accuracy" in parts:
        found["batches"] = _batches(parts["accuracy"])
        found["averaging"] = _averaging(parts["accuracy"])
    # A table of which nothing could be measured has a head alone.
    return {"when": when(run), **{name: markdown(of) for name, of in found.items() if len(of) > 1}}


def machines(run: dict) -> list[tuple[list[str], dict]]:
    """The machines of a run, each with the names of the parts that it has measured."""
    found: list[tuple[list[str], dict]] = []
    for name, part in run["parts"].items():
        names = next((names for names, where in found if where == part["machine"]), None)
        if names is None:
            found.append(([name], part["machine"]))
        else:
            names.append(name)
    return found


def when(run: dict) -> str:
    """Where, when and with what, and whether the machine was doing something else."""
    places: dict[str, list[str]] = {}
    for name, part in run["parts"].items():
        where, versions = part["machine"], part.get("versions", {})
        libraries = ", ".join(f"{library} {version}" for library, version in versions.items())
        place = f"{machine.short(where)}, {where['system']}" + (f"; {libraries}" if libraries else "")
        places.setdefault(place, []).append(_day(name, part))
    paragraphs = [f"Measured on {place}:\n\n" + "\n".join(days) for place, days in places.items()]
    of_model = {machine.short(run["parts"][name]["machine"]) for name in MODELLED if name in run["parts"]}
    if len(of_model) > 1:
        paragraphs.append("The model's work is of another machine than the networks: it tells little here.")
    return "\n\n".join(paragraphs)


def _day(name: str, part: dict) -> str:
    quick = "a quick run, " if part["quick"] else ""
    load = part["load_average"]
    is_busy = name in TIMED and load is not None and load >= BUSY
    busy = ", while other work ran on the machine: provisional" if is_busy else ""
    note = f"; {part['note']}" if "note" in part else ""  # by hand, until the part is measured anew
    return f"- {name}: {quick}{part['started'][:10]}{busy}{note}"


def predicted(parts: dict) -> list[dict]:
    """Each step over a network, measured and by the model, whose constants are of other measurements.

    Without those that lack what the model needs.
    """
    alone = {(row["name"], row["batch"]): row for row in parts["steps"]["rows"]}
    cores = machine.threads(parts["networks"]["machine"])
    found = []
    for link in parts["networks"]["links"]:
        wire = model.wire_of(link["messages"], link["adding"])
        for row in link["rows"]:
            of, size = alone[row["name"], row["batch"]], row["size"]
            part = of["seconds"].get(f"part of {size}")
            if part is None or "schuss" not in row["seconds"]:
                continue
            # Processes that share a core take turns.
            computes = part * max(1.0, size / cores)
            tells = model.exchange(size, 4 * parameters(of["layers"]), wire)
            link_of = Link(link["milliseconds"], link["gigabits"])
            found.append({**row, "link": link_of, "computes": computes, "predicted": computes + tells})
    return found


def work(row_of: str, parts: dict) -> model.Work | None:
    """The work of a process, from all batches and parts of them; None where these are too few."""
    points = []  # a batch may have as many rows as a part of another
    for row in [row for row in parts["steps"]["rows"] if row["name"] == row_of]:
        names = {"1 thread": SHARDS} | {f"part of {size}": share(SHARDS, size) for size in (2, 3, 4)}
        for name, shards in names.items():
            if name in row["seconds"]:
                points.append((row["batch"] * shards // SHARDS, row["seconds"][name]))
    return model.work_of(points) if len({rows for rows, _ in points}) > 1 else None


def worlds(parts: dict) -> list[World]:
    """What the model looks at with many processes."""
    found = []
    for name in ("small", "fmnist", "wide"):
        of = work(name, parts)
        for link in parts["networks"]["links"]:
            if of and (link["milliseconds"], link["gigabits"]) in ((0.1, 10), (0.5, 1)):
                text = str(Link(link["milliseconds"], link["gigabits"]))
                wire = model.wire_of(link["messages"], link["adding"])
                found.append(World(name, text, wire, of, 4 * parameters(LAYERS[name])))
    return found


def _steps(part: dict) -> Table:
    columns = ["1 thread", "2 threads", "2 processes", "3 processes", "4 processes", "torch"]
    head = [
        "network, batch",
        *columns[:3],
        "2 processes / 2 threads",
        *columns[3:5],
        "torch DDP, 2 processes",
    ]
    rows = [[*head, "2 processes / DDP"]]
    for row in part["rows"]:
        of = row["seconds"]
        cells = [_us(of.get(name)) for name in columns]
        ratios = [_ratio(of, "2 processes", name) for name in ("2 threads", "torch")]
        rows.append([_case(row), *cells[:3], ratios[0], *cells[3:], ratios[1]])
    return rows


def _overlap(part: dict) -> Table:
    rows = [["network, batch", "step of 2 processes", "of it exchange, %", "to gain by overlap, at most, %"]]
    for row in part["rows"]:
        step, computes = row["seconds"].get("2 processes"), row["seconds"].get("part of 2")
        if step is None or computes is None:
            continue
        tells = max(step - computes, 0.0)
        # Once all rows have gone back, gradients are complete one after the other: a third of the work.
        gain = min(tells, computes / 3)
        rows.append([_case(row), _us(step), f"{100 * tells / step:.0f}", f"{100 * gain / step:.0f}"])
    return rows


def _shards(part: dict) -> Table:
    counts = {"1": (1, 2, 4, 8), "2": (2, 4, 8)}
    rows = [["processes", *(f"n_shards={count}" for count in counts["1"])]]
    for size, seconds in part["seconds"].items():
        of = dict(zip(counts[size], map(_us, seconds), strict=True))
        rows.append([size, *(of.get(count, "-") for count in counts["1"])])
    return rows


def _links(part: dict, here: dict) -> Table:
    rows = [["network", "8 bytes, ms", "4 MiB, ms", "model: a message, ms", "asking, ms", "Gbit/s"]]
    for link in [*part["links"], here]:
        wire = model.wire_of(link["messages"], link["adding"])
        small, large = link["messages"]["8"], link["messages"][str(1 << 22)]
        name = (
            str(Link(link["milliseconds"], link["gigabits"])) if link is not here else "memory of one machine"
        )
        rows.append([name, *map(_ms, (small, large, wire.message, wire.asking)), f"{8e-9 / wire.byte:.3g}"])
    return rows


def _networks(found: list[dict]) -> Table:
    """Measured beside the model: a line for each network and each network between processes."""
    sizes = sorted({row["size"] for row in found})
    head = [word for size in sizes for word in (f"{size} processes, ms", "model")]
    rows = [["network, batch", "between them", *head, "torch DDP, 2 processes", "schuss / DDP"]]
    of = {(_case(row), str(row["link"]), row["size"]): row for row in found}
    for name, link in dict.fromkeys((name, link) for name, link, _ in of):
        cells = []
        for size in sizes:
            row = of.get((name, link, size))
            cells += [_ms(row["seconds"]["schuss"]), _ms(row["predicted"])] if row else ["-", "-"]
        two = of[name, link, 2]["seconds"] if (name, link, 2) in of else {}
        torch = _ms(two["torch"]) if "torch" in two else "-"
        rows.append([name, link, *cells, torch, _ratio(two, "schuss", "torch")])
    return rows


def _ranks(parts: dict) -> Table:
    """Steps of one batch on ever more processes, and of ever larger batches."""
    rows = [["network", "between them", "rows", *(f"{ranks:,}" for ranks in RANKS)]]
    for name, link, wire, of, size in worlds(parts):
        for rows_of, text in ((lambda p: 8192 / p, "8,192 together"), (lambda p: 1024, "1,024 each")):
            seconds = [of.seconds(rows_of(p)) + model.exchange(p, size, wire) for p in RANKS]
            speeds = [rows_of(p) * p / s for p, s in zip(RANKS, seconds, strict=True)]
            cells = [f"{_ms(s)} ms, {v / speeds[0]:.3g}x" for s, v in zip(seconds, speeds, strict=True)]
            rows.append([name, link, text, *cells])
    return rows


def _half(parts: dict) -> Table:
    rows = [["network", "between them", *(f"{ranks:,} processes" for ranks in RANKS[1:])]]
    for name, link, wire, of, size in worlds(parts):
        rows.append([name, link, *(f"{model.rows_for_half(p, wire, of, size):,.0f}" for p in RANKS[1:])])
    return rows


def _memory(part: dict) -> Table:
    rows = [["processes", "n_shards", "its rows", "4 x parameters", "a batch", "together", "peak of each"]]
    for row in part["rows"]:
        # A batch is shared as the rows are.
        parts = [max(of for of, _ in row["held"]), 4 * part["gradient"], part["batch"] / row["processes"]]
        peak = ", ".join(f"{value / 1e6:.0f}" for _, value in row["held"])
        cells = [f"{value / 1e6:.0f}" for value in (*parts, sum(parts))]
        rows.append([str(row["processes"]), str(row["n_shards"]), *cells, peak])
    return rows


def _batches(part: dict) -> Table:
    rows = [["optimizer", *(f"batch {batch}" for batch in part["batches"])]]
    for name, scores in part["optimizers"].items():
        rows.append([name, *(f"{of['score']:.4f} ± {of['error']:.4f} (lr {of['lr']:g})" for of in scores)])
    return rows


def _averaging(part: dict) -> Table:
    rows = [["parameters averaged", *(f"{count} processes" for count in part["processes"])]]
    for name, scores in part["averaging"].items():
        rows.append([name, *(f"{of['score']:.4f} ± {of['error']:.4f}" for of in scores)])
    return rows


def markdown(rows: Table) -> str:
    head, *others = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *others])


def filled(page: str, run: dict) -> str:
    """The page with the tables, each between its marks."""
    for name, table in tables(run).items():
        mark = f"{BEGIN.format(name)}\n"
        before, found, after = page.partition(mark)
        _, ends, after = after.partition(END)
        if not (found and ends):
            raise ValueError(f"the page has no place for the table {name!r}, {mark}")
        page = f"{before}{mark}\n{table}\n\n{END}{after}"
    return page


def _case(row: dict) -> str:
    return f"{row['name']}, {row['batch']:,}"


def _ratio(seconds: dict[str, float], one: str, other: str) -> str:
    return f"{seconds[one] / seconds[other]:.2f}" if one in seconds and other in seconds else "-"


def _us(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e6 * seconds:,.0f}"


def _ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
