"""The tree of pages: here, so that the Markdown files stay plain for those who read them as files."""

from pathlib import Path

import reference_pages
from notebook_pages import PAGES as NOTEBOOKS
from optimizer_pages import pages as optimizers
from project_pages import DOCS
from project_pages import PAGES as PROJECT

GUIDE = [
    "titanic",
    "tables",
    "regression",
    "early-stopping",
    "tuning",
    "imbalance",
    "sparse",
    "larger-than-memory",
    "distributed",
    "custom-loop",
    "pipelines",
    "deployment",
]
FROM = ["from-scikit-learn", "from-torch", "from-keras", "from-optax"]

# In the navigation, where a page's own title is too long for it.
SHORT = {
    "guide/titanic": "A table as it is",
    "guide/tables": "Tables, step by step",
    "guide/regression": "Regression",
    "guide/distributed": "Several processes",
    "guide/pipelines": "Whole pipelines elsewhere",
    "guide/deployment": "Deployment",
    "lecture": "The lecture",
    "network": "Networks",
    "from-scikit-learn": "scikit-learn",
    "from-torch": "PyTorch",
    "from-keras": "Keras",
    "from-optax": "Optax",
    "performance": "Performance",
    "scale": "Past one machine",
    "tabular": "Tables beside boosted trees",
    "kernels": "Elementwise kernels",
}

# Below each page: captions, and the pages under them.
TREES = {
    "index": {
        "Start": ["install", "quickstart", "user-guide"],
        "By task": [f"guide/{name}" for name in GUIDE],
        "Coming from": FROM,
        "Understand": ["lecture", "optimizers", "network"],
        "Look up": ["reference/index", "reproducibility", "reliability", "performance", "scale", "tabular"],
        "Behind it": ["kernels", "architecture", *(f"project/{name}" for name in PROJECT)],
    },
    "lecture": {"": [f"notebooks/{name}" for name in NOTEBOOKS]},
    "optimizers": {"": [f"optimizers/{name.lower()}" for name in optimizers()]},
    "reference/index": {"": [f"reference/{name}" for name in reference_pages.pages()]},
}
_listed = {name for tree in TREES.values() for below in tree.values() for name in below} | {"index"}
# Pages that have no place of their own yet.
TREES["index"]["Understand"] += sorted({page.stem for page in DOCS.glob("*.md")} - _listed)


def add_trees(app, docname, source):
    """End a page with the list of those below it, which only the navigation shows."""
    for caption, below in TREES.get(docname, {}).items():
        options = [":hidden:"] + [f":caption: {caption}"] * bool(caption)
        entries = [f"{SHORT[name]} </{name}>" if name in SHORT else f"/{name}" for name in below]
        lines = [*options, "", *entries]
        if Path(app.env.doc2path(docname)).suffix == ".md":
            source[0] += "\n\n```{toctree}\n" + "\n".join(lines) + "\n```\n"
        else:
            source[0] += "\n\n.. toctree::\n" + "".join(f"   {line}\n" for line in lines)


def setup(app):
    """Join Sphinx."""
    app.connect("source-read", add_trees)
    return {"parallel_read_safe": True}
