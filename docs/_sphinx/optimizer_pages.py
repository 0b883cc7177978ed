"""A page for each optimizer: from the tables of the rules and of optimizers.md, and a run on a surface."""

import re
from functools import cache

import optimizer_pictures as pictures
from project_pages import DOCS, write_page
from reference_pages import directive

import schuss

CONVENTIONS = schuss.optimizers.CONVENTIONS
NONE = "\N{EN DASH}"  # what the tables have where there is nothing to say
PAGE = """\
{name}
{line}

.. currentmodule:: schuss

{summary}

**When to use it:** {use}.

.. image:: {name}.png
   :alt: The path of {name} in a ravine, and its loss by step

{caption}

Formula
-------

{notes}

Defaults
--------

{defaults}

Use
---

.. code-block:: python

{snippet}

Class
-----

{directive}

Paper
-----

{reference}
"""
COMMON = """\
The rest, from weight decay to averages, is :doc:`the same for all rules </optimizers>`. The methods,
such as `step` and `save`, are those of `Optimizer`.
"""


@cache
def pages():
    """Each rule's table by the name of its class, and None for L-BFGS, which is none of them."""
    return {rule["name"]: rule for rule in schuss.optimizers.rules()} | {"LBFGS": None}


@cache
def written():
    """What the tables of optimizers.md say of each class: a dict by the titles of their columns."""
    said = {}
    for line in (DOCS / "optimizers.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| class |"):
            titles = cells[1:]
        elif line.startswith("| `"):
            for name in re.findall(r"`(\w+)`", cells[0]):
                said.setdefault(name, {}).update(zip(titles, cells[1:], strict=False))
    return said


def grid(rows):
    """A table in reStructuredText, its first row the titles."""
    head, *body = ["   * - " + "\n     - ".join(row) for row in rows]
    return "\n".join([".. list-table::", "   :header-rows: 1", "", head, *body])


def own_options(rule):
    """The options that not every rule has, and those of all whose defaults are not everywhere the same."""
    rules = [other for other in pages().values() if other]
    everywhere = set.intersection(*({option["name"] for option in other["options"]} for other in rules))
    return [
        option
        for option in rule["options"]
        if option["name"] not in everywhere or option["name"] in ("weight_decay", "decay")
    ]


def defaults(rule):
    """The table of defaults in each convention; bold what is not the lecture's."""
    if rule is None:
        return "See the class below; they are SciPy's tolerances."
    rows = [["option", *CONVENTIONS]]
    for option in [{"name": "lr", "defaults": rule["lr"]}, *own_options(rule)]:
        first = option["defaults"][0]
        shown = [f"**{value}**" if value != first else str(value) for value in option["defaults"]]
        rows.append([f"``{option['name']}``", *shown])
    differences = written()[rule["name"]]["differences"]
    other = f"\nOther formulas under this name: {differences}.\n" if differences != NONE else ""
    return f"{grid(rows)}\n{other}\n{COMMON}"


def snippet(name):
    """How it is used: on arrays, in a minimisation, in a network, in an estimator."""
    rule = pages()[name]
    recipe = f"sc.{name}(lr={rule['lr'][0]})" if rule else f"sc.{name}()"
    own = [
        "w = np.ones(3)",
        f"optimizer = sc.{name}([w], lr={rule['lr'][0]})" if rule else "",
        "optimizer.step([2 * w])  # the gradient of the sum of squares; w has changed",
        "",
    ]
    lines = [
        "import numpy as np",
        "import schuss as sc",
        "",
        *(own if rule else []),
        f"recipe = {recipe}",
        "result = sc.minimize(lambda p: (p @ p, 2 * p), [1.0, 2.0], jac=True, optimizer=recipe)",
        "",
        "X, y = np.eye(4), np.arange(4.0)",
        "sc.MLP([4, 8, 1]).fit(X, y, optimizer=recipe, epochs=5)",
        "model = sc.MLPRegressor(optimizer=recipe)  # or MLPClassifier",
    ]
    return "\n".join(lines) + "\n"


def documented(name):
    """Summary, notes and reference, as the class has them."""
    if rule := pages()[name]:
        return rule["summary"], rule["notes"], rule["reference"]
    summary, rest = schuss.LBFGS.__doc__.split("\n\n", 1)
    notes, rest = rest.split("\n\nParameters\n", 1)
    reference = re.search(r"References\n-+\n(.*?)(?:\n\n|\Z)", rest, re.DOTALL)[1]
    return summary, notes, reference


def text(name):
    """The text of a page."""
    summary, notes, reference = documented(name)
    return PAGE.format(
        name=name,
        line="=" * len(name),
        summary=summary,
        use=written()[name]["when to use it"],
        caption=pictures.caption(name),
        notes=notes,
        defaults=defaults(pages()[name]),
        snippet="".join(f"   {line}".rstrip() + "\n" for line in snippet(name).splitlines()),
        directive=directive(f"schuss.{name}").strip(),
        reference=reference,
    )


def write(app, config):
    """Write all pages and draw their pictures."""
    folder = DOCS / "optimizers"
    for name in pages():
        write_page(folder / f"{name.lower()}.rst", text(name))
        pictures.draw(name, folder / f"{name}.png")


def setup(app):
    """Join Sphinx."""
    app.connect("config-inited", write)
    return {"parallel_read_safe": True}
