"""
Script files: their values, their errors, and their schema.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sockservices.scripting
from sockservices.scripting import ScriptError, loadScript
from sockservices.scripting.script import Script
from sockservices.scripting.script_bytes import toBytes, toToml
from sockservices.scripting.script_file import toScript
from tests.support.shell import outputMatches

Load = Callable[[str], Script]

SCHEMA = Path(sockservices.scripting.__file__).with_name("script.schema.json")

matchesSchema = fastjsonschema.compile(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (r'"220 ready\r\n"', b"220 ready\r\n"),
        (r'"\u0000\u001b\u007f"', b"\x00\x1b\x7f"),
        ('"é"', b"\xc3\xa9"),
        (r'"\u00ff"', b"\xc3\xbf"),
        ('"hex:00 FFa0"', b"\x00\xff\xa0"),
        ('"hex:"', b""),
        ('["a\\r\\n", "hex:ff", "b"]', b"a\r\n\xffb"),
        (r"'\r'", b"\\r"),
    ],
)
def test_bytes(value: str, data: bytes) -> None:
    """
    A string stands for its UTF-8, C{hex:} for any bytes, and an array for its parts in their order.
    """
    assert toBytes(tomllib.loads(f"value = {value}")["value"]) == data


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(st.sampled_from([b"hex:", b"a\r\n", b"\xff", b'"\\'])).map(b"".join)
)
def test_writtenBytes(data: bytes) -> None:
    """
    All bytes can be written in a script file, and read from it.
    """
    text = f"value = {toToml(data)}"
    assert toBytes(tomllib.loads(text)["value"]) == data


#: Texts that TOML or the schema rejects, and the end of the message.
WRONG = [
    ("send = \n[[step]]", ':1:8: Invalid value; expected TOML, such as send = "220 ready\\r\\n"'),
    ("\n[[step]]\nsend = '", ":3: ...; expected TOML, ..."),
    ("", ": expected a [[step]] or a [[rule]]"),
    ("step = []", ": expected a [[step]] or a [[rule]]"),
    ("[step]\nsend = 'a'", ":1: step: expected [[step]], in double brackets"),
    ("rule = [1]", ":1: rule: expected [[rule]], in double brackets"),
    ("prot = 25\n[[step]]\nwait = 1", ":1: prot: expected one of name, port, framing, step, rule"),
    ("name = 'a b'\n[[step]]\nwait = 1", ":1: name: 'a b': expected letters, digits, ..."),
    ("name = 'all'\n[[step]]\nwait = 1", ":1: name: 'all': expected letters, ... and not 'all'"),
    ("port = 65536\n[[step]]\nwait = 1", ":1: port: 65536: expected an integer from 0 to 65535"),
    ("port = true\n[[step]]\nwait = 1", ":1: port: True: expected an integer from 0 to 65535"),
    ("framing = 'lines'\n[[rule]]\nmatch = 'a'", ':1: framing: \'lines\': expected "line", "datagram", ...'),
    ("framing = {length = 3, order = 'big'}\n[[rule]]\nmatch = 'a'", ":1: framing: {'length': 3, ...}: expected ..."),
    ("framing = {length = 2}\n[[rule]]\nmatch = 'a'", ":1: framing: {'length': 2}: expected ..."),
    ("framing = {fixed = 0}\n[[rule]]\nmatch = 'a'", ":1: framing: {'fixed': 0}: expected ..."),
    ("framing = {delimiter = ''}\n[[rule]]\nmatch = 'a'", ":1: framing: {'delimiter': ''}: expected ..."),
    ("framing = {fixed = 2, length = 1}\n[[rule]]\nmatch = 'a'", ":1: framing: ...: expected ..."),
    ("[[step]]", ":1: step 1: expected one of expect, match, wait, send, finish, reset, expect-end, repeat"),
    ("[[step]]\nrepeat = 2", ":1: step 1: expected one of expect, ..."),
    ("[[step]]\nwait = 1\n[[step]]\nsned = 'a'", ":4: step 2, sned: expected one of expect, match, ..."),
    ("[[step]]\nexpect = 5", ":2: step 1, expect: 5: expected a string, or an array of strings"),
    ("[[step]]\nsend = 5", ":2: step 1, send: 5: expected a string, ..."),
    ("[[step]]\nexpect = []", ":2: step 1, expect: []: expected a string, or an array of strings"),
    ("[[step]]\nsend = []", ":2: step 1, send: []: expected a string, {group = NUMBER}, {group = 'NAME'}, or ..."),
    ("[[step]]\nsend = [['a']]", ":2: step 1, send: [['a']]: expected a string, ..."),
    ("[[step]]\nmatch = 'a'\nsend = {}", ":3: step 1, send: {}: expected a string, ..."),
    ("[[step]]\nmatch = 'a'\nsend = {group = true}", ":3: step 1, send: {'group': True}: expected ..."),
    ("[[step]]\nmatch = 'a'\nsend = {group = 0, a = 1}", ":3: step 1, send: {'group': 0, 'a': 1}: expected ..."),
    ("[[step]]\nmatch = 'a'\nsend = [{group = -1}]", ":3: step 1, send: [{'group': -1}]: expected ..."),
    ("[[step]]\nexpect = [{group = 0}]", ":2: step 1, expect: [{'group': 0}]: expected a string, or ..."),
    ("[[step]]\nsend = 'hex:abc'", ":2: step 1, send: 'hex:abc': expected pairs of hexadecimal digits after hex:"),
    ("[[step]]\nexpect = ''", ":2: step 1, expect: expected at least one byte"),
    ("[[step]]\nwait = -1", ":2: step 1, wait: -1: expected a number of seconds from 0 to 1000000000"),
    ("[[step]]\nwait = '1'", ":2: step 1, wait: '1': expected a number of seconds from 0 to 1000000000"),
    ("[[step]]\nfinish = false", ":2: step 1, finish: False: expected true, or no such key"),
    ("[[step]]\nexpect = 'a'\nmatch = 'a'", ":3: step 1, match: expected no expect beside it"),
    ("[[step]]\nfinish = true\nreset = true", ":3: step 1, reset: expected no finish beside it"),
    (
        "[[step]]\nsend = 'a'\nrepeat = 0",
        ':3: step 1, repeat: 0: expected an integer from 1 to 1000000000, or "forever"',
    ),
    ("[[step]]\nfinish = true\nrepeat = 2", ":3: step 1, repeat: expected no finish, reset or expect-end beside it"),
    ("[[step]]\nsend = 'a'\ntimes = 2", ":3: step 1, times: expected one of ..."),
    ("[[rule]]\nsend = 'a'", ":1: rule 1: expected match or expect"),
    ("[[rule]]\nmatch = 'a'\ntimes = 0", ":3: rule 1, times: 0: expected an integer from 1 to 1000000000"),
    ("[[rule]]\nmatch = 'a'\nrepeat = 2", ":3: rule 1, repeat: expected one of ..."),
]

#: Texts that the schema accepts, because it cannot express what is wrong.
CONTRADICTORY = [
    ("framing = 'line'\n[[step]]\nwait = 1", ":1: framing: expected a [[rule]] that it is for"),
    ("[[step]]\nmatch = '('", ":2: step 1, match: '(': expected a regular expression of Python: missing ), ..."),
    ("[[step]]\nmatch = 'é'", ":2: step 1, match: '\\xe9': expected a regular expression in ASCII; ..."),
    ("[[step]]\nmatch = 'a*'", ":2: step 1, match: expected a pattern that does not match without a byte"),
    ("[[rule]]\nmatch = '(?=a)'", ":2: rule 1, match: expected a pattern that does not match without a byte"),
    ("[[rule]]\nexpect = ''", ":2: rule 1, expect: expected at least one byte"),
    ("[[step]]\nsend = {group = 0}", ":2: step 1, send: group 0: expected match in the same step"),
    ("[[rule]]\nexpect = 'a'\nsend = {group = 'a'}", ":3: rule 1, send: group 'a': expected match in the same rule"),
    (
        "[[step]]\nmatch = '(?P<b>a)(?P<c>b)'\nsend = [\n'a',\n{group = 3},\n]",
        ":3: step 1, send: group 3: expected a group of match: 0, 1, 2, 'b', 'c'",
    ),
    ("[[step]]\nmatch = 'a'\nsend = {group = 'b'}", ":3: step 1, send: group 'b': expected a group of match: 0"),
    ("[[step]]\nexpect = ['']", ":2: step 1, expect: expected at least one byte"),
    ("[[step]]\nsend = ''\nrepeat = 2", ":3: step 1, repeat: expected a step that receives, waits or sends a byte"),
    ("[[step]]\nfinish = true\n[[step]]\nsend = ''", ":4: step 2, send: expected no send after the finish of step 1"),
    ("[[step]]\nfinish = true\n[[rule]]\nmatch = 'a'", ":2: step 1, finish: expected no [[rule]], ..."),
    ("[[step]]\nreset = true\n[[step]]\nwait = 1", ":2: step 1, reset: expected no step and no rule after it"),
    (
        "[[step]]\nwait = 1\nrepeat = 'forever'\n[[rule]]\nmatch = 'a'",
        ":3: step 1, repeat: expected no step and no rule after it",
    ),
]


@pytest.mark.parametrize(("text", "message"), [*WRONG, *CONTRADICTORY])
def test_wrong(text: str, message: str, load: Load, tmp_path: Path) -> None:
    """
    A wrong file is one line: the file, the line, the key, the value, and what is expected.
    """
    with pytest.raises(ScriptError) as raised:
        load(text)
    assert outputMatches(f"{tmp_path}/smtp.toml{message}", str(raised.value)), raised.value
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("text", [text for text, _ in WRONG[2:]])
def test_schemaRejects(text: str) -> None:
    """
    The schema rejects what the parser rejects, as far as it can express it.
    """
    with pytest.raises(fastjsonschema.JsonSchemaException):
        matchesSchema(tomllib.loads(text))


@pytest.mark.parametrize("text", [text for text, _ in CONTRADICTORY])
def test_schemaAccepts(text: str) -> None:
    """
    The schema accepts the rest.
    """
    matchesSchema(tomllib.loads(text))


#: What the messages of L{CONTRADICTORY} expect.
CONTRADICTIONS = [message.partition(" expected ")[2].partition(" ...")[0] for _, message in CONTRADICTORY]


def parserError(document: dict[str, Any]) -> str:
    """
    The message of the parser, or C{""} if it accepts a document.
    """
    try:
        toScript(document, "script")
    except ValueError as error:
        return str(error)
    return ""


templates = [{"group": 0}, ["a", {"group": 1}], {"group": "b"}, [{"group": 0, "a": 1}], {"group": -1}, {"group": True}]
strings = ["a", "", "hex:00", "hex:0", ["a", "hex:ff"], [], "forever"]
values = st.sampled_from([*strings, *templates, 0, 1, 2, 3, 0.5, -1, True, False])
keys = st.sampled_from(["expect", "match", "expect-end", "wait", "send", "finish", "reset", "repeat", "times", "other"])
tables = st.lists(st.dictionaries(keys, values, max_size=4), max_size=2)
framings = st.sampled_from(
    ["line", "datagram", "other", 1, {"length": 1}, {"length": 2}, {"fixed": 4}, {}]
) | st.builds(dict, length=values, order=st.sampled_from(["big", "little", 1]))


@given(st.fixed_dictionaries({}, optional={"step": tables, "rule": tables, "framing": framings, "port": values}))
def test_schemaAgreesWithParser(document: dict[str, Any]) -> None:
    """
    What the parser accepts, the schema accepts. What only the parser rejects is a contradiction that is listed above.
    """
    try:
        matchesSchema(document)
    except fastjsonschema.JsonSchemaException:
        error = parserError(document)
        assert error
    else:
        error = parserError(document)
        assert not error or any(text in error for text in CONTRADICTIONS), error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.toml", None, "missing.toml: No such file or directory: expected a script file"),
        (".", None, ": expected a file name that ends with .toml"),
        ("smtp.json", b"", "smtp.json: expected a file name that ends with .toml"),
        ("latin1.toml", b"[[step]]\nsend = '\xff'", "latin1.toml:2: expected UTF-8; write other bytes as hex:"),
    ],
)
def test_unreadable(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    """
    A file that cannot be read is one line too.
    """
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ScriptError) as raised:
        loadScript(str(tmp_path / name))
    assert str(raised.value).endswith(message)


@pytest.mark.parametrize(
    ("stem", "text", "name", "port"),
    [
        ("smtp", "", "smtp", 0),
        ("my script=2", "", "my-script-2", 0),
        ("smtp", "name = 'mail'\nport = 2525\n", "mail", 2525),
    ],
)
def test_nameAndPort(stem: str, text: str, name: str, port: int, tmp_path: Path) -> None:
    """
    The file's name is the service's, unless the file gives one.
    """
    path = tmp_path / f"{stem}.toml"
    path.write_text(f"{text}[[step]]\nsend = 'a'")
    script = loadScript(path)
    assert (script.name, script.port) == (name, port)
