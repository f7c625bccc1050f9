"""Checks Python and the installed libraries against the versions that DeiT Lab pins. Loads torch and torchvision.

Whatever a broken installation raises is a finding, so the imports catch every exception.
"""

import re
import sys
from collections.abc import Iterable
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from deit_core.doctor.finding import Finding

LOWEST_PYTHON = (3, 11)
ROOT = Path(__file__).parents[2]
_PIN = re.compile(r"^([\w.-]+)\s*\(?==\s*([\w.+!-]+)")  # a package may also write it as torch (==2.13.0)
_PAIR = ("torch", "torchvision")  # each version of one fits one version of the other


def pins(extra: str = "") -> dict[str, str]:
    """The version of each library that DeiT Lab needs, or that an extra of it adds: from the checkout, else from the
    installed package, whose dashboard is an extra that counts where Streamlit is installed.
    """
    requirements = ROOT / (f"requirements-{extra}.txt" if extra else "requirements.txt")
    if requirements.exists():
        return _pinned(requirements.read_text().splitlines())
    lines = metadata.requires("deit-lab") or ()
    pinned = _pinned(line for line in lines if f'extra == "{extra}"' in line or not (extra or "extra ==" in line))
    return pinned | (pins("dashboard") if not extra and find_spec("streamlit") else {})


def python() -> Finding:
    version, lowest = (".".join(map(str, numbers)) for numbers in (sys.version_info[:3], LOWEST_PYTHON))
    if sys.version_info < LOWEST_PYTHON:
        return Finding("Python", False, f"Python is {version}; install Python {lowest} or newer, then DeiT Lab again.")
    return Finding("Python", True, f"Python is {version}.")


def others() -> Finding:
    """All pinned libraries but torch and torchvision, which have checks of their own."""
    needed = {name: pin for name, pin in pins().items() if name not in _PAIR}
    wrong = [name for name, pin in needed.items() if _version(name) != pin]
    if not wrong:
        return Finding("libraries", True, f"All {len(needed)} libraries have the versions that DeiT Lab needs.")
    what = ", ".join(f"{name} is {_version(name) or 'missing'} instead of {needed[name]}" for name in wrong)
    return Finding("libraries", False, f"DeiT Lab needs other versions: {what}; {_install(wrong)}.")


def torch() -> Finding:
    module = _loaded("torch", "torch")
    if isinstance(module, Finding):
        return module
    device = module.accelerator.current_accelerator() if module.accelerator.is_available() else "cpu"
    return Finding("torch", True, f"torch {module.__version__} computes on {device}.")


def torchvision() -> Finding:
    module = _loaded("torchvision", "deit_core.torchvision_ops")
    if isinstance(module, Finding):
        return module
    rest = "" if module.EXTENSION_LOADS else "; its compiled part, which nothing here needs, is left out"
    return Finding("torchvision", True, f"torchvision {_version('torchvision')} is loaded{rest}.")


def timm() -> Finding:
    """timm is optional, and is not loaded."""
    version, pin = _version("timm"), pins("timm")["timm"]
    install = f"`python -m pip install timm=={pin}`"
    if not version:
        return Finding("timm", True, f"timm is not installed, and only networks of timm's need it: {install}.")
    if version != pin:
        return Finding("timm", False, f"timm is {version} instead of {pin}; run {install}.")
    return Finding("timm", True, f"timm {version} is installed.")


def _loaded(name: str, module: str) -> ModuleType | Finding:
    """The module, or what is wrong with the library that it comes from."""
    version, pin = _version(name), pins().get(name)
    if find_spec(name) is None:
        return Finding(name, False, f"{name} is not installed; {_install(_PAIR)}.")
    built_for = _pinned(metadata.requires(name) or () if version else ()).get("torch")
    if built_for and (there := _version("torch")) and there != built_for:
        what = f"{name} {version} is built for torch {built_for}, and torch is {there}"
        return Finding(name, False, f"{what}; {_install(_PAIR)}.")
    if version != pin:
        return Finding(name, False, f"{name} is {version} instead of {pin}; {_install(_PAIR)}.")
    try:
        return import_module(module)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        what = f"{name} {version} cannot be loaded ({reason})"
        return Finding(name, False, f"{what}; {_install(_PAIR, '--force-reinstall ')}.")


def _pinned(lines: Iterable[str]) -> dict[str, str]:
    return {found[1]: found[2] for line in lines if (found := _PIN.match(line))}


def _version(name: str) -> str:
    """The installed version without the build's name, such as +cpu; empty where there is none."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def _install(names: Iterable[str], option: str = "") -> str:
    return f"run `python -m pip install {option}{' '.join(f'{name}=={pins()[name]}' for name in names)}`"
