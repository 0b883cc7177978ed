"""The reference: a page for each public module, and a warning for what is public and not on any of them."""

import importlib
import inspect
import pkgutil
import re
from enum import Enum
from functools import cache
from importlib.util import find_spec

from project_pages import DOCS, write_page

import schuss

TITLES = {
    "network": "Networks",
    "estimators": "Estimators",
    "tables": "Estimators for tables",
    "dask": "Estimators on a Dask cluster",
    "embeddings": "Embeddings of columns",
    "blocks": "Blocks of rows larger than memory",
    "optimizers": "Optimizers",
    "schedules": "Learning-rate schedules",
    "minimize": "Minimisation",
    "history": "Histories",
    "plots": "Pictures",
    "exchange": "Exchange with other programs",
    "display": "Training curves in scikit-learn's manner",
    "ewa": "Exponentially weighted averages",
    "typing": "Types for annotations",
}
# Constants cannot have a docstring.
CONSTANTS = {
    "ACTIVATIONS": "The names of all activations: see :doc:`/network`.",
    "LOSSES": "The names of all losses: see :doc:`/network`.",
    "__version__": "The version of the package, as a string.",
}
HEAD = """\
The public names of schuss, from their docstrings; ``help(schuss.MLP)`` shows the same. Whatever is not
listed here may change without notice.
"""


@cache
def pages():
    """The public modules by the name of their page: those of the titles first, then what is new."""
    found = [module.name for module in pkgutil.iter_modules(schuss.__path__) if module.name[0] != "_"]
    if not find_spec("distributed"):
        found.remove("dask")  # cannot be imported
    return {name: f"schuss.{name}" for name in sorted(found, key=lambda name: [*TITLES, name].index(name))}


def is_rule(obj):
    """Whether a class is an optimizer with a page of its own."""
    return inspect.isclass(obj) and issubclass(obj, schuss.Optimizer) and obj is not schuss.Optimizer


def public_name(module, name):
    """The shortest name by which users have it."""
    obj = getattr(module, name)
    return f"schuss.{name}" if getattr(schuss, name, None) is obj else f"{module.__name__}.{name}"


def members(kind):
    """What a public class has that is public, and not of another library."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("schuss")]
    found = {name: member for base in reversed(ours) for name, member in vars(base).items() if name[0] != "_"}
    return sorted(name for name, member in found.items() if _is_ours(member))


def _is_ours(member):
    member = getattr(member, "__func__", member)
    if inspect.isfunction(member) and not member.__module__.startswith("schuss"):
        return False  # made by scikit-learn
    return callable(member) or inspect.isdatadescriptor(member) or hasattr(member, "fget")


@cache
def names():
    """Every public name, with the page that must have it."""
    found = {}
    for page, module in pages().items():
        module = importlib.import_module(module)
        for name in module.__all__:
            obj = getattr(module, name)
            own_page = is_rule(obj) or obj is schuss.LBFGS
            place = f"optimizers/{name.lower()}" if own_page else f"reference/{page}"
            found.setdefault(public_name(module, name), place)
    here = {f"schuss.{name}": "reference/index" for name in schuss.__all__}
    modules = {f"schuss.{name}" for name in schuss.__all__ if inspect.ismodule(getattr(schuss, name))}
    return {name: place for name, place in (here | found).items() if name not in modules}


@cache
def documented():
    """Every public name, and those of the members of public classes, with the page that must have it."""
    found = dict(names())
    for name, place in names().items():
        obj = object_of(name)
        if inspect.isclass(obj) and not is_rule(obj):
            found |= {f"{name}.{member}": place for member in members(obj)}
    return found


def object_of(name):
    """What a qualified name stands for."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def page_of(page):
    """The text of a module's page."""
    module = importlib.import_module(pages()[page])
    title = TITLES.get(page, page)
    text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {module.__name__}\n"
    if module.__name__ in names():  # a function of the same name has it
        text += "   :no-index:\n"
    text += "\n.. currentmodule:: schuss\n"
    here = [name for name, place in names().items() if place == f"reference/{page}"]
    rules = [name for name, place in names().items() if place.startswith("optimizers/")]
    if page == "optimizers":
        text += "\nEach rule has a page of its own: " + ", ".join(f"`{name}`" for name in rules) + ".\n"
    return text + "".join(directive(name) for name in here)


def directive(name):
    """What makes Sphinx document a public name with all that is in it."""
    obj = object_of(name)
    if not inspect.isclass(obj):
        kind = "autofunction" if inspect.isroutine(obj) else "autodata"
        return f"\n.. {kind}:: {name}\n" + "   :no-value:\n" * (kind == "autodata")
    listed = "" if is_rule(obj) else ", ".join(members(obj))  # a rule's are those of `Optimizer`
    if issubclass(obj, Enum):
        return f"\n.. autoclass:: {name}\n   :members:\n   :undoc-members:\n"
    return f"\n.. autoclass:: {name}\n" + (f"   :members: {listed}\n" if listed else "")


def write(app, config):
    """Write the pages of the reference."""
    folder = DOCS / "reference"
    for page in pages():
        write_page(folder / f"{page}.rst", page_of(page))
    listed = "".join(f"- :doc:`{page}`: ``{module}``\n" for page, module in pages().items())
    here = [name for name, place in names().items() if place == "reference/index"]
    classes = "".join(directive(name) for name in here if inspect.isclass(object_of(name)))
    constants = "".join(f"\n.. py:data:: schuss.{name}\n\n   {text}\n" for name, text in CONSTANTS.items())
    write_page(folder / "index.rst", f"API reference\n=============\n\n{HEAD}\n{listed}{classes}{constants}")


def check(app, env):
    """Warn of public names that no page has, or that have no docstring: with -W they end the build."""
    from sphinx.util import logging  # the tests ask for the names where Sphinx is not

    log = logging.getLogger(__name__)
    listed = env.get_domain("py").objects
    for name, place in documented().items():
        if name not in listed or not is_described(name):
            log.warning("%s has no docstring, or is not on %s", name, place, type="reference")


def is_described(name):
    """Whether a public name has a docstring, or a line here. Members without one are on no page anyway."""
    from sphinx.pycode import ModuleAnalyzer

    module, _, last = name.rpartition(".")
    if name not in names() or last in CONSTANTS:
        return True
    obj = object_of(name)
    if inspect.isclass(obj) or inspect.isroutine(obj):
        return bool(inspect.getdoc(obj))
    return ("", last) in ModuleAnalyzer.for_module(module).find_attr_docs()  # the string below it


def without_private(app, what, name, obj, options, signature, returned):
    """A signature without the parameters that begin with an underscore, which are not for users."""
    return re.sub(r", _\w+=[^,)]+", "", signature or "") or None, returned


def setup(app):
    """Join Sphinx."""
    app.connect("config-inited", write)
    app.connect("autodoc-process-signature", without_private)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}
