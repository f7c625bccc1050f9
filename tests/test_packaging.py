"""What pyproject.toml, the files of requirements and the code say of the package agree."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Where the name to import is not that of the package.
IMPORTED_AS = {"opencv-python-headless": "cv2", "pillow": "PIL", "scikit-learn": "sklearn", "SQLAlchemy": "sqlalchemy"}


def pinned(file: str) -> list[str]:
    lines = ((ROOT / file).read_text()).splitlines()
    return sorted(line.partition("#")[0].strip() for line in lines if not line.startswith("#"))


def test_the_requirements_are_those_of_core_and_dashboard() -> None:
    assert pinned("requirements.txt") == sorted(PROJECT["dependencies"] + EXTRAS["dashboard"])
    assert pinned("requirements-timm.txt") == EXTRAS["timm"]
    assert pinned("requirements-cluster.txt") == EXTRAS["cluster"]
    assert pinned("requirements-tools.txt") == EXTRAS["tools"]


def imported(package: str) -> set[str]:
    """The outer names of all that a package imports."""
    names = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names


def test_the_core_imports_what_it_needs_and_nothing_of_the_dashboards() -> None:
    def names(requirements: list[str]) -> set[str]:
        bare = (line.partition("==")[0] for line in requirements)
        return {IMPORTED_AS.get(name, name) for name in bare}

    found = imported("deit_core")
    assert names(PROJECT["dependencies"]) - found == {"sklearn"}, "of which only a file is read"
    assert not names(EXTRAS["dashboard"]) & found


@pytest.mark.parametrize(
    "entry", [*PROJECT["scripts"].values(), *PROJECT["entry-points"]["jupyter_serverproxy_servers"].values()]
)
def test_an_entry_point_exists(entry: str) -> None:
    module, _, name = entry.partition(":")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    brought = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert name in defined | brought


DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_container_starts_a_command_of_the_package_on_the_port_that_it_names() -> None:
    (entry,) = re.findall(
        r'^ENTRYPOINT \["([\w-]+)", "--server.address=0.0.0.0", "--server.port=(\d+)"', DOCKERFILE, re.M
    )
    assert entry[0] in PROJECT["scripts"]
    assert f"EXPOSE {entry[1]}" in DOCKERFILE
    assert f"app_port: {entry[1]}" in (ROOT / "deploy" / "space" / "README.md").read_text()
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    ports = re.findall(r'"127\.0\.0\.1:\d+:(\d+)"', compose)
    assert len(ports) == compose.count("ports:") == ports.count(entry[1])
    for name, folder in re.findall(r"^      - (\w+):(\S+)$", compose, re.M):
        assert f"DEIT_{name.upper()}_DIR={folder}" in DOCKERFILE


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_a_space_has_what_its_dockerfile_copies(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git checkout")
    subprocess.run([ROOT / "deploy" / "space" / "assemble.sh", tmp_path / "space"], check=True, timeout=600)
    made = (tmp_path / "space" / "Dockerfile").read_text()
    assert made.startswith(DOCKERFILE)
    assert "DEIT_DEMO=1" in made
    left_out = (tmp_path / "space" / ".dockerignore").read_text().split()
    for name in (
        "requirements.txt",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "dashboard/app.py",
        "deit_core/cli/app.py",
    ):
        assert (tmp_path / "space" / name).is_file()
        assert name.partition("/")[0] not in left_out
