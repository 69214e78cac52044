"""
Mutation tests. Each mutant in C{mutants.toml} is one error in the source; the tests that are named for it must fail.

The exit status is 1 if a mutant survives, and 2 if the table is wrong or a test fails without a mutant.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]

#: What the tests need of the checkout.
COPIED_FOLDERS, COPIED_FILES = ("src", "tests", "twisted", "docs"), ("pyproject.toml", "README.md")

#: Seconds for the tests of one mutant. A mutant whose tests take longer counts as killed.
TIME_LIMIT = 60.0

#: The results by pytest's exit status: all tests passed, some failed, time limit. By any other, no test has run.
RESULTS = {0: "survived", 1: "killed", None: "killed"}


@dataclass(frozen=True)
class Mutant:
    """
    One error in the source.

    @ivar name: the effect of the error.
    @ivar original: text that occurs once in the source; C{mutated} replaces it.
    @ivar tests: pytest node ids; at least one test must fail.
    @ivar guarantee: the number of the guarantee in docs/guarantees.md that the error breaks.
    """

    name: str
    original: str
    mutated: str
    tests: tuple[str, ...]
    guarantee: int | None = None

    def file(self) -> Path:
        """
        The source file with the original text, relative to the checkout.

        @raise ValueError: if the text does not occur exactly once.
        """
        sources = sorted((ROOT / "src").rglob("*.py"))
        found = [path for path in sources for _ in range(path.read_text().count(self.original))]
        if len(found) != 1:
            places = ", ".join(str(path.relative_to(ROOT)) for path in found) or "nowhere"
            raise ValueError(f"{self.name}: expected the original text once in src, found it in: {places}")
        return found[0].relative_to(ROOT)


def readMutants() -> list[Mutant]:
    """
    Read the table, and check it against the source and docs/guarantees.md.

    @raise ValueError: with one line for each error.
    """
    rows = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text())["mutant"]
    mutants = [Mutant(**row | {"tests": tuple(row["tests"])}) for row in rows]
    errors = _guaranteeErrors(mutants)
    for mutant in mutants:
        try:
            mutant.file()
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError("\n".join(errors))
    return mutants


def _guaranteeErrors(mutants: Iterable[Mutant]) -> list[str]:
    """
    Each guarantee needs a mutant. Its tests must be the tests that verify the guarantee by docs/guarantees.md.
    """
    verifiedBy: dict[int, str] = {}
    for line in (ROOT / "docs/guarantees.md").read_text().splitlines():
        row = re.fullmatch(r"\| *(\d*) *\|.*\|([^|]*)\|", line)
        if row:
            number = int(row[1]) if row[1] else max(verifiedBy)  # A row without a number belongs to the one above.
            verifiedBy[number] = verifiedBy.get(number, "") + row[2]
    errors = []
    for mutant in mutants:
        for test in mutant.tests if mutant.guarantee else ():
            path, _, function = test.partition("[")[0].rpartition("::")
            names = {f"`{function}`", f"`{path.partition('::')[0]}`"}
            if names.isdisjoint(re.findall("`[^`]*`", verifiedBy.get(mutant.guarantee or 0, ""))):
                errors.append(f"{mutant.name}: guarantee {mutant.guarantee} does not name {test}")
    missing = set(verifiedBy) - {mutant.guarantee for mutant in mutants}
    return errors + [f"guarantee {number}: expected a mutant that breaks it" for number in sorted(missing)]


def copyCheckout(folder: Path) -> Path:
    """
    Copy the parts of the checkout that tests need, without compiled files: a stale one could hide a mutant.

    @return: the folder.
    """
    for name in COPIED_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
    for name in COPIED_FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def runTests(folder: Path, tests: Sequence[str], limit: float) -> int | None:
    """
    Run tests in a copy of the checkout.

    @return: the exit status of pytest; L{None} after the time limit.
    """
    environment = os.environ | {"PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    with (folder / "output").open("w") as output:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        pytest: subprocess.Popen[bytes] = subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, **streams
        )
    try:
        return pytest.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if pytest.poll() is None:
            # The session includes the servers that the tests have started.
            os.killpg(pytest.pid, signal.SIGKILL)
            pytest.wait()


def tryMutant(mutant: Mutant) -> str:
    """
    Run the tests of a mutant in a copy of the checkout.

    @return: one of L{RESULTS}, or C{"broken"} if the tests do not run.
    """
    with TemporaryDirectory(prefix="mutant-") as name:
        folder = copyCheckout(Path(name))
        path = folder / mutant.file()
        path.write_text(path.read_text().replace(mutant.original, mutant.mutated))
        status = runTests(folder, mutant.tests, TIME_LIMIT)
    return RESULTS.get(status, "broken")


def checkTests(mutants: Iterable[Mutant]) -> None:
    """
    Run all tests of the mutants on the unchanged source: a test that fails anyway would kill every mutant.

    @raise ValueError: if one fails.
    """
    with TemporaryDirectory(prefix="mutant-") as name:
        folder = copyCheckout(Path(name))
        if runTests(folder, sorted({test for mutant in mutants for test in mutant.tests}), 10 * TIME_LIMIT) != 0:
            raise ValueError("the tests fail without a mutant:\n" + (folder / "output").read_text()[-4000:])


def main() -> int:
    """
    Try the mutants, and print one row for each.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Run the mutation tests.")
    parser.add_argument("--only", metavar="PATTERN", default="", help="regular expression: names of mutants or tests")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="mutants to try at the same time (default: 1)")
    arguments = parser.parse_args()
    try:
        mutants = [each for each in readMutants() if re.search(arguments.only, "\n".join((each.name, *each.tests)))]
        if not mutants:
            raise ValueError(f"--only {arguments.only}: expected the name of a mutant or test")
        print(f"running the tests of {len(mutants)} mutants without a mutant", flush=True)
        checkTests(mutants)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    counts = Counter[str]()
    with ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        for number, (mutant, result) in enumerate(zip(mutants, pool.map(tryMutant, mutants), strict=True), 1):
            counts[result] += 1
            print(f"{number}/{len(mutants)}  {result:8}  {mutant.name}", flush=True)
    print(", ".join(f"{counts[result]} {result}" for result in ("killed", "survived", "broken")))
    return 1 if counts["survived"] or counts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
