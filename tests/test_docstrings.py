"""Every public name says what it is, and the examples in docstrings give what they show."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
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


@pytest.mark.parametrize("name", sorted(public_names()))
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


# Sections

# What is made by the library, or keeps whatever it is given: it refuses nothing itself. `fit` checks the
# parameters of estimators, and drawing what a display is to show.
REFUSES_NOTHING = {
    "Blocks",
    "ColumnReport",
    "DaskMLPClassifier",
    "DaskMLPRegressor",
    "Ensemble",
    "LayerOutputs",
    "Leaderboard",
    "MLPClassifier",
    "MLPRegressor",
    "Member",
    "NonFiniteError",
    "OptimizeResult",
    "Report",
    "Stop",
    "TabularClassifier",
    "TabularRegressor",
    "TrainingCurveDisplay",
    "TrainingInfo",
    "progress_bar",
}
# Where there are no annotations.
RETURNS_NOTHING = {"Optimizer.step", "Optimizer.tell", "Optimizer.load_state_dict"}


def signature_of(obj):
    """Its parameters by name, without a method's first one and what is not for users, and what it returns."""
    try:
        signature = inspect.signature(obj)
    except ValueError:
        return {}, None
    named = signature.parameters.items()
    own = {name: each for name, each in named if name[0] != "_" and name not in ("self", "cls")}
    return own, signature.return_annotation


def with_arguments():
    """Every public function and class, and the methods of ours that these have, where there are arguments."""
    found = {}
    for obj in public_names().values():
        if not inspect.isclass(obj) and not inspect.isroutine(obj):
            continue
        ours = [kind for kind in getattr(obj, "__mro__", ()) if kind.__module__.startswith("schuss")]
        members = sorted({name for kind in ours for name in vars(kind) if name[0] != "_"})
        for each in (obj, *(getattr(obj, name) for name in members)):
            module = getattr(each, "__module__", "schuss")
            if (inspect.isclass(each) or inspect.isroutine(each)) and module.startswith("schuss"):
                found.setdefault(f"{module}.{each.__qualname__}", each)
    refused = schuss.History._refuse
    return {name: obj for name, obj in found.items() if obj is not refused and signature_of(obj)[0]}


def sections_of(obj):
    """The sections of a docstring by their heads."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.getdoc(obj) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(section):
    """The names in each line that is not indented, and the type there."""
    lines = [line for line in section.splitlines() if line[:1].strip()]
    return {
        name.strip().lstrip("*"): kind
        for names, _, kind in (line.partition(" : ") for line in lines)
        for name in names.split(",")
    }


@pytest.mark.parametrize("name", with_arguments())
def test_what_takes_arguments_has_all_sections(name):
    obj, sections = with_arguments()[name], sections_of(with_arguments()[name])
    known = obj.__qualname__
    if inspect.isclass(obj):
        assert sections.keys() & {"Parameters", "Attributes"} or known in REFUSES_NOTHING | {"Optimizer"}
    else:
        assert "Parameters" in sections
        returns = signature_of(obj)[1] not in (None, "None") and known not in RETURNS_NOTHING
        assert not returns or sections.keys() & {"Returns", "Yields"}
    assert "Raises" in sections or known in REFUSES_NOTHING


@pytest.mark.parametrize("name", with_arguments())
def test_each_parameter_is_described_with_its_default(name):
    obj = with_arguments()[name]
    known = described(sections_of(obj).get("Parameters", ""))
    if not known or any("all others" in each for each in known):
        return
    for parameter, each in signature_of(obj)[0].items():
        kind = known[parameter]
        assert not kind or each.default is each.empty or "default" in kind or "optional" in kind


@pytest.mark.parametrize("name", with_arguments())
def test_a_default_is_the_one_that_is_described(name):
    obj = with_arguments()[name]
    parameters = signature_of(obj)[0]
    for line in sections_of(obj).get("Parameters", "").splitlines():
        names, _, said = line.partition(" : ")
        _, found, said = said.partition("default ")
        if not found or line[0] == " ":
            continue
        names = [each.strip() for each in names.split(",")]
        # What others have in its place is in parentheses behind it.
        value = ast.literal_eval(said.split(" (")[0])
        values = value if len(names) > 1 and isinstance(value, tuple) else [value] * len(names)
        assert [parameters[each].default for each in names] == list(values), line
