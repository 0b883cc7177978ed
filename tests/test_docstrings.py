"""Every public name says what it is, and the examples in docstrings give what they show."""

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec

import pytest

import schuss

MODULES = ["schuss", *(f"schuss.{m.name}" for m in pkgutil.iter_modules(schuss.__path__) if m.name[0] != "_")]
if not find_spec("distributed"):
    MODULES.remove("schuss.dask")


def public_names():
    """Each public function and class, and each public method and property of such a class, once."""
    seen = {}
    for module in map(importlib.import_module, MODULES):
        for name in getattr(module, "__all__", ()):
            obj = getattr(module, name)
            if not (inspect.isclass(obj) or inspect.isroutine(obj)):
                continue
            seen.setdefault(f"{obj.__module__}.{obj.__qualname__}", obj)
            if inspect.isclass(obj):
                for attribute, member in vars(obj).items():
                    if attribute[0] != "_" and (callable(member) or inspect.isdatadescriptor(member)):
                        seen.setdefault(f"{obj.__module__}.{obj.__qualname__}.{attribute}", member)
    return seen


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_docstring_and_says_what_is_public(module):
    module = importlib.import_module(module)
    assert module.__doc__
    assert module.__all__


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_has_a_docstring(name):
    assert inspect.getdoc(public_names()[name])


@pytest.mark.parametrize("name", [n for n, obj in public_names().items() if ">>>" in (obj.__doc__ or "")])
def test_the_examples_in_a_docstring_hold(name):
    obj = public_names()[name]
    test = doctest.DocTestParser().get_doctest(
        inspect.getdoc(obj), vars(importlib.import_module(obj.__module__)).copy(), name, None, 0
    )
    report = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert report == []
