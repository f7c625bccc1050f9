"""Imports point down and never in a circle, and the first page loads no torch.

Imports inside functions and under TYPE_CHECKING count like all others.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Lowest first. A package imports from itself and from the layers before its own, never from another package of its
# layer; single modules of a layer may import each other.
LAYERS: dict[str, list[set[str]]] = {
    "deit_core": [
        {"text", "plain_text", "events", "metrics", "randomness", "machine", "file_locks"},
        {"errors", "wording", "catalog", "layout", "torchvision_ops", "timm_ops", "distillation"},
        {"refusals", "settings"},
        {"files"},
        {"run_files"},
        {"spec"},
        {"image_folders", "presets", "memory", "analysis"},
        {"data", "models"},
        {"attention"},
        {"lessons"},
        {"training", "sinks"},
        {"runs"},
        {"results", "doctor"},
        {"cli"},
        {"__main__"},
    ],
    "deit_core.data": [
        {"sources"},
        {"augment"},
        {"sending"},
        {"supply", "splits", "batches", "device_batches", "preview"},
    ],
    "deit_core.models": [
        {
            "dropout",
            "reading",
            "adapted_classifier",
            "torchvision_classifier",
            "timm_classifier",
            "cnn",
            "block",
            "vit",
        },
        {"foreign"},
        {"build", "weights", "teachers", "initial"},
    ],
    "deit_core.attention": [{"overlay"}, {"flow"}, {"methods"}, {"look", "other_model", "viewer"}, {"drawing"}],
    "dashboard": [
        {"reach"},
        {"text", "components", "fields"},
        {
            "address",
            "machine",
            "missing",
            "state",
            "run_status",
            "error_messages",
            "hosts",
            "navigation",
            "address_runs",
        },
        {"live", "server", "uploads"},
        {"tables", "notebooks"},
        {"curves", "pictures", "verdicts", "lessons"},
        {"views"},
        {"frame", "app"},
    ],
}


def modules() -> dict[str, Path]:
    """Every module by its name; a package is its __init__."""
    files = [file for package in ("deit_core", "dashboard") for file in (ROOT / package).rglob("*.py")]
    names = (".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files)
    return dict(zip(names, files, strict=True))


MODULES = modules()


def imported(file: Path) -> set[str]:
    """Names of all that a file imports, of modules where they are modules."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found


IMPORTS = {name: imported(file) for name, file in MODULES.items()}


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """The names on a circle of arrows, or none."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            if found := search(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := search(name, []))), [])


def inside(package: str, name: str) -> str:
    """The part of a package that a module belongs to; empty for the package's own __init__ and for what is outside."""
    return name.removeprefix(f"{package}.").partition(".")[0] if name.startswith(f"{package}.") else ""


def arrows_between_parts(package: str) -> dict[str, set[str]]:
    arrows: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        if part := inside(package, name):
            arrows.setdefault(part, set()).update({inside(package, other) for other in others} - {"", part})
    return arrows


@pytest.mark.parametrize("package", LAYERS)
def test_imports_point_down(package: str) -> None:
    layer_of = {part: index for index, layer in enumerate(LAYERS[package]) for part in layer}
    arrows = arrows_between_parts(package)
    assert arrows.keys() == layer_of.keys()
    wrong = [
        f"{part} -> {other}"
        for part, others in arrows.items()
        for other in others
        if layer_of[other] > layer_of[part]
        or (layer_of[other] == layer_of[part] and not is_single(package, part, other))
    ]
    assert wrong == []


def is_single(package: str, *parts: str) -> bool:
    """Whether these are single modules and not packages."""
    return not any((ROOT / Path(*package.split("."), part)).is_dir() for part in parts)


def test_no_circle_of_modules() -> None:
    assert circle(IMPORTS) == []


@pytest.mark.parametrize("package", ["deit_core", "dashboard", "dashboard.views"])
def test_no_circle_of_packages(package: str) -> None:
    assert circle(arrows_between_parts(package)) == []


def test_pages_know_nothing_of_each_other() -> None:
    assert not any(arrows_between_parts("dashboard.views").values())


@pytest.mark.parametrize(
    ("package", "kept_out"),
    [
        ("deit_core", {"streamlit", "dashboard", "plotly"}),
        ("deit_core.analysis", {"torch", "torchvision"}),
        ("deit_core.image_folders", {"torch", "torchvision"}),
        ("deit_core.models.foreign", {"deit_core.models.weights"}),
        ("deit_core.attention.flow", {"deit_core.models", "deit_core.attention.look"}),
        ("dashboard", {"torch", "torchvision", "sqlalchemy", "sqlite3"}),
        ("dashboard.components", {"deit_core.runs"}),
    ],
)
def test_what_a_package_never_imports(package: str, kept_out: set[str]) -> None:
    for name, others in IMPORTS.items():
        if name == package or name.startswith(f"{package}."):
            assert not {other for other in others for wrong in kept_out if f"{other}.".startswith(f"{wrong}.")}, name


@pytest.mark.parametrize(
    "code",
    [
        "import deit_core.runs",
        "import deit_core.spec, deit_core.image_folders.facts, deit_core.presets, deit_core.events",
        "import deit_core.runs.store, deit_core.runs.launcher",
        "import deit_core.results.report, deit_core.results.export",
        "import deit_core.cli",
        "from dashboard.server import start; start.note_guarded(); "
        "from streamlit.testing.v1 import AppTest; a = AppTest.from_file('dashboard/frame.py').run(timeout=600); "
        "assert not a.exception and not a.error, a",
    ],
    ids=["runs", "plain-data", "store", "results", "command-line", "first-paint"],
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


@pytest.mark.parametrize(("room", "most"), [("deit_core", 16), ("dashboard", 18)])
def test_few_files_lie_loose(room: str, most: int) -> None:
    assert len(list((ROOT / room).glob("*.py"))) <= most


def test_a_file_name_leads_to_one_file() -> None:
    """But for the names that repeat by design: a page of each room, and what commands and specs are about."""
    rooms = {ROOT / "deit_core" / "spec", ROOT / "deit_core" / "cli"}
    names = [file.name for file in MODULES.values() if file.parent not in rooms]
    doubled = {name for name in names if names.count(name) > 1} - {"__init__.py", "page.py"}
    assert len(doubled) <= 6, doubled
