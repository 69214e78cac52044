"""
The examples of docs/scripts.md that test_docs.py does not execute.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import fastjsonschema
import pytest

import sockservices
from sockservices.testing.fixture import Servers
from tests.support.documents import Block, blocks
from tests.support.twistd import ROOT

PACKAGE = Path(sockservices.__file__).parent


def examples(language: str) -> list[Block]:
    """
    The blocks of the document in a language.
    """
    return [block for block in blocks(ROOT / "docs" / "scripts.md") if block.language == language]


def scriptName(block: Block) -> str:
    """
    The name of a script's file, in its first line.
    """
    return block.text.split()[1]


@pytest.mark.parametrize("block", examples("toml"), ids=scriptName)
def test_schema(block: Block) -> None:
    """
    The schema accepts every script.
    """
    fastjsonschema.validate(
        json.loads((PACKAGE / "scripting" / "script.schema.json").read_text()), tomllib.loads(block.text)
    )


def test_python(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The tests in the document pass, with the scripts in the working directory.
    """
    for block in examples("toml"):
        (pytester.path / scriptName(block)).write_text(block.text)
    code = "\n".join(block.text for block in examples("python"))
    pytester.makepyfile(code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "sockservices.pytest_plugin", "-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(re.findall(r"^def test_", code, re.MULTILINE)))


def test_redis(sockservice: Servers, tmp_path: Path) -> None:
    """
    redis-py runs C{PING}, C{SET} and C{GET} against the script of the document.
    """
    redis = pytest.importorskip("redis")
    (script,) = (block for block in examples("toml") if scriptName(block) == "redis.toml")
    (tmp_path / "redis.toml").write_text(script.text)
    host, port = sockservice(tmp_path / "redis.toml").address
    with redis.Redis(host, port, protocol=2) as client:
        assert client.ping()
        assert client.set("name", "Ada")
        assert client.get("name") == b"Ada"
