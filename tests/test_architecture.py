"""The rules of docs/architecture.md, read from the sources: who imports whom, how long things are."""

import ast
import re
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUST = ROOT / "src"
PYTHON = ROOT / "python" / "schuss"

FILE_LINES = 500
MEDIAN_LINES = 200
FUNCTION_LINES = 60

# Which way imports run: a folder may use itself and what has a lower number. All other files have 0.
LAYERS = {"team": 1, "pool": 1, "kernels": 2, "optim": 2, "mlp": 3, "py": 4}

pytestmark = pytest.mark.skipif(not RUST.exists(), reason="reads the sources")


def at(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def report(violations):
    assert not violations, "\n" + "\n".join(violations)


# Rust


def blanked(match):
    return re.sub(r"[^\n]", " ", match[0])


@cache
def code(path):
    """The text of a Rust file with spaces for comments, strings and tests: lines and columns stay."""
    no_code = r'//[^\n]*|/\*.*?\*/|\bb?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\[^\']+|[^\\\'\n])\''
    text = re.sub(no_code, blanked, path.read_text(), flags=re.DOTALL)
    while test := re.search(r"#\[cfg\(test\)\][^;{]*[;{]", text):
        end = closing(text, test.end() - 1) if test[0].endswith("{") else test.end()
        text = text[: test.start()] + re.sub(r"[^\n]", " ", text[test.start() : end]) + text[end:]
    return text


def closing(text, opening):
    """The place after the brace that closes the one at `opening`."""
    depth = 0
    for brace in re.finditer(r"[{}]", text[opening:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return opening + brace.end()
    return len(text)


def line_of(text, place):
    return text.count("\n", 0, place) + 1


@cache
def rust_files():
    def is_test(path):
        parts = path.relative_to(RUST).parts
        return path.name == "tests.rs" or "tests" in parts[:-1]

    return [path for path in sorted(RUST.rglob("*.rs")) if not is_test(path)]


def folder(path):
    """The first part of a file's module."""
    return path.relative_to(RUST).with_suffix("").parts[0]


def module_of(path):
    parts = path.relative_to(RUST).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


@cache
def modules():
    return {module_of(path): path for path in rust_files()}


def paths_in_tree(tree):
    """`a::{b, c::{self, d as e}}` as `[(a, b), (a, c), (a, c, d)]`."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    start = tuple(part.strip() for part in head.split("::") if part.strip())
    if not brace:
        start = (*start[:-1], start[-1].split(" as ")[0].strip()) if start else start
        return [start[:-1] if start[-1:] == ("self",) and len(start) > 1 else start]
    paths, depth, piece = [], 0, ""
    for letter in rest[: rest.rindex("}")] + ",":
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            paths += [start + path for path in paths_in_tree(piece)] if piece.strip() else []
            piece = ""
        else:
            piece += letter
    return [path[:-1] if path[-1] == "self" else path for path in paths]


USE = re.compile(r"(?:pub(?:\([^)]*\))?\s+)?\buse\s+([^;]+);")
MOD = re.compile(r"(?:pub(?:\([^)]*\))?\s+)?\bmod\s+(\w+)\s*;")
PATH = re.compile(r"\b(?:crate|super|self)(?:::\w+)+")


def only_reexports(path):
    rest = re.sub(r"#!?\[[^\]]*\]", "", MOD.sub("", USE.sub("", code(path))))
    return path.name in ("mod.rs", "lib.rs") and not rest.strip()


def absolute(module, path):
    """A path from the crate's root, or None where it leads out of the crate."""
    first, rest = path[0], path[1:]
    if first == "crate":
        return rest
    if first == "self":
        return module + rest
    if first == "super":
        module = module[:-1]
        while rest[:1] == ("super",):
            module, rest = module[:-1], rest[1:]
        return module + rest
    return module + path if (*module, first) in modules() else None


def home(path, depth=8):
    """The file that defines what a path from the root names; None for a module that only re-exports."""
    for cut in range(len(path), -1, -1):
        if (file := modules().get(path[:cut])) is None:
            continue
        names = path[cut:]
        if not only_reexports(file):
            return file
        if not names or not depth:
            return None
        for use in USE.finditer(code(file)):
            for target in paths_in_tree(use[1]):
                target = absolute(path[:cut], target)
                if target and target[-1] == names[0]:
                    return home(target, depth - 1)
                if target and target[-1] == "*" and defines(home(target[:-1], depth - 1), names[0]):
                    return home(target[:-1], depth - 1)
        return None
    return None


def defines(file, name):
    return file is not None and re.search(
        rf"\b(?:fn|struct|enum|trait|const|static|type)\s+{name}\b", code(file)
    )


def uses(path):
    """The paths that a file names, each from the root and with its line."""
    text, module = code(path), module_of(path)
    inline = [(m.start(), closing(text, m.end() - 1), m[1]) for m in re.finditer(r"\bmod\s+(\w+)\s*\{", text)]

    def here(place):
        return module + tuple(name for start, end, name in inline if start < place < end)

    found = []
    for use in USE.finditer(text):
        for target in paths_in_tree(use[1]):
            if (target := absolute(here(use.start()), target)) is None:
                continue
            found.append((target, line_of(text, use.start())))
            if target in modules():  # a module: what is used of it is named later on
                names = re.finditer(rf"(?<![\w:]){target[-1]}::(\w+)", text)
                found += [((*target, name[1]), line_of(text, name.start())) for name in names]
    for other in PATH.finditer(USE.sub(blanked, text)):
        if target := absolute(here(other.start()), tuple(other[0].split("::"))):
            found.append((target, line_of(text, other.start())))
    for child in MOD.finditer(text):
        for name in re.finditer(rf"(?<![\w:]){child[1]}::(\w+)", USE.sub(blanked, text)):
            found.append(((*module, child[1], name[1]), line_of(text, name.start())))
    return found


@cache
def rust_imports():
    """For each file the files that it uses, with the line of the first use."""
    imports = {}
    for path in rust_files():
        imports[path] = {}
        if only_reexports(path):
            continue
        for target, line in uses(path):
            if (file := home(target)) is not None and file != path:
                imports[path].setdefault(file, line)
    return imports


def rust_functions(path):
    """The name, line and number of code lines of each function."""
    text = code(path)
    for function in re.finditer(r"\bfn\s+(\w+)", text):
        opening = re.compile(r"[;{]").search(text, end_of_signature(text, function.end()))
        if opening and opening[0] == "{":
            body = text[opening.end() : closing(text, opening.start()) - 1]
            yield (
                function[1],
                line_of(text, function.start()),
                sum(bool(line.strip()) for line in body.split("\n")),
            )


def end_of_signature(text, start):
    """The place after a function's arguments, whose types may have semicolons: `[f32; 4]`."""
    depth = 0
    for bracket in re.finditer(r"[()]", text[start:]):
        depth += 1 if bracket[0] == "(" else -1
        if depth == 0:
            # The result's type may be an array as well.
            result = re.compile(r"\s*->\s*\[[^\]]*\]").match(text, start + bracket.end())
            return result.end() if result else start + bracket.end()
    return start


# Python


@cache
def python_files():
    return sorted(PYTHON.rglob("*.py"))


def imported_at_once(body):
    """The import statements that run when the module is imported."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported_at_once(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from imported_at_once(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from imported_at_once(handler.body)


def python_module(parts):
    """The file of a module of the package, given by its path from there; None for the compiled one."""
    plain, package = PYTHON.joinpath(*parts).with_suffix(".py"), PYTHON.joinpath(*parts, "__init__.py")
    if parts and plain.exists():
        return plain
    return package if package.exists() else None


@cache
def python_imports():
    imports = {}
    for path in python_files():
        imports[path] = {}
        package = path.parent.relative_to(PYTHON).parts
        for node in imported_at_once(ast.parse(path.read_text()).body):
            if isinstance(node, ast.Import):
                names = [tuple(name.name.split(".")) for name in node.names]
            else:
                module = tuple((node.module or "").split(".")) if node.module else ()
                start = ("schuss", *package[: len(package) - node.level + 1]) if node.level else ()
                names = [(*start, *module, name.name) for name in node.names]
            for name in names:
                if name[0] != "schuss" or name[1:2] == ("_schuss",):
                    continue
                file = python_module(name[1:]) or python_module(name[1:-1])
                if file is not None and file != path:
                    imports[path].setdefault(file, node.lineno)
    return imports


def python_functions(path):
    text = path.read_text()
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            code = lines[body[0].lineno - 1 : node.end_lineno] if body else []
            count = sum(bool(line.strip()) and not line.strip().startswith("#") for line in code)
            yield node.name, node.lineno, count


# Both


def circles(imports):
    """Files that reach each other, and the imports by which they do."""

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            new = [file for file in imports.get(todo.pop(), {}) if file not in seen]
            seen.update(new)
            todo += new
        return seen

    all_reached = {path: reached(path) for path in imports}
    return [
        f"{at(path, line)} uses {file.relative_to(ROOT)}, which comes to use it"
        for path, targets in imports.items()
        for file, line in targets.items()
        if path in all_reached.get(file, ())
    ]


def in_layers(path):
    """Whether a file's folder is one of those that import one way; `scalar` and `simd` need each other."""
    return path.is_relative_to(PYTHON) or folder(path) in LAYERS


@pytest.mark.parametrize("imports", [rust_imports, python_imports])
def test_no_files_import_each_other_in_a_circle(imports):
    layered = {path: targets for path, targets in imports().items() if in_layers(path)}
    assert sum(len(targets) for targets in layered.values()) > 30  # it does see imports
    report(circles(layered))


def test_imports_of_the_crate_run_one_way():
    def allowed(user, used):
        return user == used or LAYERS.get(used, 0) < LAYERS.get(user, 0) or {user, used}.isdisjoint(LAYERS)

    report(
        [
            f"{at(path, line)} uses {file.relative_to(ROOT)}"
            for path, targets in rust_imports().items()
            for file, line in targets.items()
            if not allowed(folder(path), folder(file))
        ]
    )


def test_only_the_bridge_names_python():
    report(
        [
            f"{at(path, line_of(code(path), name.start()))} names {name[0]}"
            for path in rust_files()
            if folder(path) != "py"
            for name in re.finditer(r"\b(?:pyo3|numpy)\b", code(path))
        ]
    )


@pytest.mark.parametrize(("folder", "suffix"), [(RUST, "rs"), (PYTHON, "py")])
def test_files_are_short(folder, suffix):
    lengths = {path: len(path.read_text().splitlines()) for path in folder.rglob(f"*.{suffix}")}
    report(
        [
            f"{at(path, FILE_LINES + 1)} goes on to line {length}"
            for path, length in sorted(lengths.items())
            if length > FILE_LINES
        ]
    )
    assert statistics.median(lengths.values()) < MEDIAN_LINES


@pytest.mark.parametrize(
    ("files", "functions"), [(rust_files, rust_functions), (python_files, python_functions)]
)
def test_functions_are_short(files, functions):
    all_functions = [(path, *function) for path in files() for function in functions(path)]
    assert len(all_functions) > 100  # it does see functions
    report(
        [
            f"{at(path, line)} {name} has {count} lines"
            for path, name, line, count in all_functions
            if count > FUNCTION_LINES
        ]
    )


def test_no_function_is_excused_from_taking_few_arguments():
    files = [
        *RUST.rglob("*.rs"),
        *(ROOT / "tests").glob("*.rs"),
        *(ROOT / "benches").glob("*.rs"),
        ROOT / "Cargo.toml",
    ]
    assert not list(ROOT.glob("*clippy.toml"))
    report(
        [
            at(path, number)
            for path in files
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if "too_many_arguments" in line
        ]
    )
