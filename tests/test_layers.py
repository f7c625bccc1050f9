"""Imports point down, and what paints first loads no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = [  # lowest first; a module may import its own layer and those before it
    {"errors", "catalog", "events", "refusals", "files", "folders", "archives", "threads", "torchvision_ops", "wording"}
    | {"epochs", "machine", "markdown", "spelling", "zip_names"},
    {"spec", "settings", "facts"},
    {"presets", "variants"},
    {"models", "data", "distillation", "attention", "analysis"},
    {"training"},
    {"runs"},
    {"report"},
    {"cli", "terminal", "__main__"},
]


def imported_modules(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(part: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if part in layer)


@pytest.mark.parametrize("file", sorted((ROOT / "deit_core").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_core_imports_point_down(file: Path) -> None:
    modules = imported_modules(file)
    assert not {m for m in modules if m.split(".")[0] in ("streamlit", "dashboard")}
    part = file.relative_to(ROOT / "deit_core").parts[0].removesuffix(".py")
    if part == "__init__":
        return
    for module in modules:
        parts = module.split(".")
        if parts[0] == "deit_core" and len(parts) > 1 and any(parts[1] in layer for layer in LAYERS):
            assert layer_of(parts[1]) <= layer_of(part), f"{file.name} imports {module}, which lies above it"


@pytest.mark.parametrize("file", sorted((ROOT / "dashboard").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_dashboard_knows_no_tensors_and_no_sql(file: Path) -> None:
    assert not {
        m for m in imported_modules(file) if m.split(".")[0] in ("torch", "torchvision", "sqlalchemy", "sqlite3")
    }


@pytest.mark.parametrize(
    "code",
    [
        "import deit_core.runs",
        "import deit_core.spec, deit_core.image_folders.facts, deit_core.presets, deit_core.events",
        "import deit_core.runs.store, deit_core.runs.launcher",
        "import deit_core.cli",
        "from streamlit.testing.v1 import AppTest; a = AppTest.from_file('dashboard/frame.py').run(timeout=600); "
        "assert not a.exception, a.exception",
    ],
    ids=["runs", "plain-data", "store", "command-line", "first-paint"],
)
def test_torch_is_not_loaded_by(code: str, tmp_path: Path) -> None:
    check = f"{code}\nimport sys\nassert 'torch' not in sys.modules and 'torchvision' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", check],
        check=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DEIT_RUNS_DIR": str(tmp_path), "HOME": str(tmp_path)},
        timeout=600,
    )
