"""The layout: what a package of utils may import stands in its __init__.py, and nothing else is."""
import ast
import os
import re
import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY

UTILS = os.path.join(REPOSITORY, "utils")
PACKAGES = sorted(name for name in os.listdir(UTILS)
                  if os.path.isfile(os.path.join(UTILS, name, "__init__.py")))
NOTHING = "no other package of utils"


def sources(folder):
    """Paths of the Python files in a folder and below."""
    return sorted(os.path.join(place, name) for place, _, names in os.walk(folder)
                  for name in names if name.endswith(".py"))


def parsed(path):
    with open(path, encoding="utf-8") as stream:
        return ast.parse(stream.read(), path)


def imported_modules(tree):
    """Full names of all that a file imports, also inside its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            for alias in node.names:
                yield "%s.%s" % (node.module, alias.name)


def allowed_imports(package):
    """The packages that the docstring of utils/<package>/__init__.py names."""
    tree = parsed(os.path.join(UTILS, package, "__init__.py"))
    assert len(tree.body) == 1, "utils/%s/__init__.py holds more than its docstring" % package
    named = re.search(r"^May import: ([\w\s,]+)\.$", ast.get_docstring(tree), re.MULTILINE)
    assert named, "utils/%s/__init__.py does not say what it may import" % package
    names = " ".join(named.group(1).split())
    return [] if names == NOTHING else names.split(", ")


def test_utils_holds_packages_only():
    assert [name for name in os.listdir(UTILS) if name.endswith(".py")] == ["__init__.py"]
    assert os.path.getsize(os.path.join(UTILS, "__init__.py")) == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_it_says(package):
    allowed = set(allowed_imports(package)) | {package}
    for path in sources(os.path.join(UTILS, package)):
        for module in imported_modules(parsed(path)):
            top, _, rest = module.partition(".")
            where = os.path.relpath(path, REPOSITORY)
            assert top not in ("tests", "ds_graph", "model", "training_data"), (where, module)
            if top == "utils":
                assert rest.partition(".")[0] in allowed, (where, module)


def test_the_packages_stand_on_floors():
    """Whoever may import another stands above it: the order is strict."""
    left = {package: set(allowed_imports(package)) for package in PACKAGES}
    assert set().union(*left.values()) <= set(PACKAGES)
    while left:
        lowest = [package for package, below in left.items() if not below & set(left)]
        assert lowest, "a circle of imports among %s" % sorted(left)
        for package in lowest:
            del left[package]


def test_importing_the_packages_loads_no_tensorflow():
    program = "import sys\n%s\nprint([name for name in sys.modules if 'tensorflow' in name])" % (
        "\n".join("import utils.%s" % package for package in PACKAGES))
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE,
                          universal_newlines=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]")


def test_no_file_touches_the_search_path():
    words = re.compile(r"sys\.path\b|noqa: E402")
    for folder in ("utils", "tests", "ds_graph", "model", "training_data", "audio", "docs"):
        for path in sources(os.path.join(REPOSITORY, folder)):
            if path != os.path.abspath(__file__):
                with open(path, encoding="utf-8") as stream:
                    assert not words.search(stream.read()), path
