"""
Build the API reference: C{python docs/api.py [FOLDER]}, by default in build/api. A warning of pydoctor is an error.

Links to Python's and Twisted's own documentation are resolved without the network: the Sphinx inventories that pydoctor
reads are written from the modules that are installed.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import pkgutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import twisted.internet.testing
from pydoctor.driver import main

import sockservices

PYTHON = "https://docs.python.org/3"
TWISTED = "https://docs.twisted.org/en/stable/api"


def pythonNames() -> Iterator[str]:
    """
    Write the inventory lines of the builtins and of the standard library's modules that the package imports.
    """
    yield from (f"{name} py:data 1 library/constants.html#$ -" for name in ("None", "True", "False"))
    for name, value in vars(builtins).items():
        if inspect.isclass(value):
            page = "exceptions" if issubclass(value, BaseException) else "stdtypes"
            yield f"{name} py:class 1 library/{page}.html#$ -"
    for module in sorted(sys.stdlib_module_names & sys.modules.keys()):
        yield f"{module} py:module 1 library/{module}.html -"
        yield from (f"{module}.{name} py:class 1 library/{module}.html#$ -" for name in vars(sys.modules[module]))


def twistedNames() -> Iterator[str]:
    """
    Write the inventory lines of Twisted's reactors and of the modules of Twisted that the package imports.
    """
    for module in pkgutil.iter_modules(twisted.internet.__path__, "twisted.internet."):
        yield f"{module.name} py:module 1 $.html -"
    for name in sorted(name for name in sys.modules if name.startswith("twisted.")):
        yield f"{name} py:module 1 $.html -"
        for attribute, value in vars(sys.modules[name]).items():
            page = f"{name}.html#{attribute}" if inspect.isfunction(value) else f"{name}.{attribute}.html"
            yield f"{name}.{attribute} py:obj 1 {page} -"


def writeInventory(path: Path, project: str, lines: Iterator[str]) -> Path:
    """
    Write a Sphinx inventory of version 2: four lines of header, then compressed lines of names.
    """
    header = (
        "Sphinx inventory version 2",
        f"Project: {project}",
        "Version: ",
        "The remainder is compressed using zlib.",
    )
    path.write_bytes("".join(f"# {line}\n" for line in header).encode() + zlib.compress("\n".join(lines).encode()))
    return path


def build(folder: str) -> int:
    """
    Run pydoctor.

    @return: its exit status.
    """
    for module in pkgutil.walk_packages(sockservices.__path__, "sockservices."):
        importlib.import_module(module.name)
    source = Path(sockservices.__file__).parent
    with tempfile.TemporaryDirectory() as temporary:
        python = writeInventory(Path(temporary) / "python.inv", "Python", pythonNames())
        external = writeInventory(Path(temporary) / "twisted.inv", "Twisted", twistedNames())
        status: int = main(
            [
                "--quiet",
                "--warnings-as-errors",
                "--docformat=epytext",
                "--project-name=sockservices",
                f"--project-version={sockservices.__version__}",
                f"--project-base-dir={source.parents[1]}",
                f"--html-output={folder}",
                f"--intersphinx-file={python}::{PYTHON}",
                f"--intersphinx-file={external}::{TWISTED}",
                str(source),
            ]
        )
    return status


if __name__ == "__main__":
    sys.exit(build(sys.argv[1] if len(sys.argv) > 1 else "build/api"))
