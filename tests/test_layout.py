"""The house: packages are listed, imports go one way and by the package's name, the help is light."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_PACKAGES = {"tests", "docs", "build", "dist"}
# Who may be imported by whom: each folder knows those before it on its line, and `errors`.
MAY_IMPORT = {
    "media": set(),
    "network": {"media"},
    "codec": {"media", "pretrained"},
    "pretrained": set(),
    "live": {"media", "network", "codec"},
    "baselines": {"media", "network"},
    "recognition": {"media", "network", "codec", "pretrained"},
    "training": {"media", "network", "codec", "recognition", "eval", "importance", "pretrained"},
    "eval": {"media", "network", "codec", "baselines", "recognition", "pretrained"},
    "importance": {"media", "network", "codec", "baselines", "recognition", "eval", "pretrained"},
}
FOLDERS = sorted(p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name not in NOT_PACKAGES)


def sources():
    """Every module of the package and its tests."""
    for folder in [*FOLDERS, "tests"]:
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from sorted(ROOT.glob("*.py"))


def package_modules(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path):
    """Dotted names that a module imports, relative ones made absolute."""
    package = ["t4vcodec", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_every_folder_is_in_the_list_of_packages():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"t4vcodec"} | {
        ".".join(["t4vcodec", *path.parent.relative_to(ROOT).parts])
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(listed) == found
    assert len(listed) == len(set(listed))


def test_every_folder_with_modules_is_a_package():
    for folder in FOLDERS:
        for path in package_modules(folder):
            assert (path.parent / "__init__.py").is_file(), path.parent


def test_nothing_is_imported_by_its_folder_alone():
    """`import codec` works in the root and gives a second copy of everything."""
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources()
        for name in imported(path)
        if name.split(".")[0] in {*FOLDERS, "errors", "cli"}
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_go_one_way(folder):
    assert folder in MAY_IMPORT, f"say in this test what {folder} may import"
    wrong = []
    for path in package_modules(folder):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "t4vcodec" or len(parts) < 2 or parts[1] in {folder, "errors", "__version__"}:
                continue
            if parts[1] not in MAY_IMPORT[folder]:
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_the_order_has_no_circle():
    done = set()
    while len(done) < len(MAY_IMPORT):
        ready = {f for f, needs in MAY_IMPORT.items() if f not in done and needs <= done}
        assert ready, f"a circle among {set(MAY_IMPORT) - done}"
        done |= ready


def test_no_catch_all_folders_and_no_long_files():
    for path in sources():
        names = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
        assert not names & {"utils", "util", "common", "helpers", "misc"}, path
        if path.is_relative_to(ROOT / "tests"):
            continue
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 430, path


def test_no_paths_of_one_machine():
    here = re.escape(str(ROOT.resolve()))  # wherever this checkout lies
    pattern = re.compile(rf"/(?:home|Users)/\w+|/root\b|{here}\b")
    texts = [p for p in sources() if p != Path(__file__)]
    texts += [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "pyproject.toml"]
    wrong = [str(p.relative_to(ROOT)) for p in texts if pattern.search(p.read_text(encoding="utf-8"))]
    assert wrong == []


@pytest.mark.parametrize(
    "command",
    [["--help"], *([name, "--help"] for name in ("encode", "eval", "report", "train")), ["--version"]],
)
def test_help_is_light(command):
    code = (
        "import sys\n"
        "from t4vcodec.cli import main\n"
        f"sys.argv = ['t4vcodec', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'av', 'numba', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_python_m_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "t4vcodec", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("t4vcodec ")
