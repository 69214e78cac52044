"""
The lines in the errors of script files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockservices.scripting import ScriptError, loadScript
from sockservices.scripting.script import Script

Load = Callable[[str], Script]

TABLES = """\
# [[step]]
[[step]]
send = '''
[[step]]
wait = -1
'''

[[ step ]]  # [[step]]
expect = [
  "[[step]]", # "
  'wait = -1',
]
wait = 1

[[rule]]
match = "a\\"#"
wait = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("# [[step]]\n[[step]]", "port = -1\n[[step]]", 1),
        ("# [[step]]\n[[step]]", "\nport.a = -1\n[[step]]", 2),
        ("[[step]]\nsend", "[[step]]\nwait = -1\nsend", 3),
        ("'''\n\n[", "'''\nwait = -1\n\n[", 7),
        ("]\nwait = 1", "]\nwait=-1", 13),
        ("wait = 1\n\n[[rule]]", "\n\n\nwait = -1\n\n[[rule]]", 16),
        ('#"\nwait = 1', '#"\n\twait = -1', 17),
        ('#"\nwait = 1', '#"\n"wait" = -1', 15),
        ('match = "a\\"#"', "", 15),
        ("[[rule]]", "[rules]", 15),
        ("[[rule]]", "[rule]", 15),
    ],
)
@pytest.mark.parametrize("lineEnd", ["\n", "\r\n"])
def test_line(old: str, new: str, line: int, lineEnd: str, load: Load) -> None:
    """
    An error has the line of its key. If the key is in quotes, or missing, it has the line of the table.
    """
    load(TABLES)
    assert TABLES.count(old) == 1
    with pytest.raises(ScriptError, match=rf"smtp\.toml:{line}: "):
        load(TABLES.replace(old, new).replace("\n", lineEnd))


@pytest.mark.parametrize(
    ("text", "line"),
    [("port = 1\nstep = [{wait = 1},\n{wait = -1}]", 2), ("'port' = -1\n[[step]]\nwait = 1", None)],
)
def test_withoutLineOfTable(text: str, line: int | None, load: Load) -> None:
    """
    An error in an inline table has the line on which its array begins. What has no line of its own has none.
    """
    with pytest.raises(ScriptError, match=r"smtp\.toml: p" if line is None else rf"smtp\.toml:{line}: "):
        load(text)


basic = st.text(st.sampled_from("a #[]='")).map('"{}"'.format)
literal = st.text(st.sampled_from('a #[]="\\')).map("'{}'".format)
multiLine = st.text(st.sampled_from("a \n#[]=")).flatmap(
    lambda text: st.sampled_from([f'"""{text}"""', f"'''{text}'''", f'"""\\"{text}""\\""""', f"'''{text}\n''''"])
)
strings = basic | literal | multiLine | st.sampled_from(['"[[step]]"', '"""\n[[step]]\noops = 1"""', '"\\\\"'])
breaks = st.sampled_from(["", "\n", " # [[step]] ' \"\n", "\n\n# oops = 1\n"])
arrays = st.lists(st.tuples(breaks, strings, breaks).map("".join), min_size=1).map(lambda items: f"[{','.join(items)}]")
values = strings | arrays
tables = st.tuples(st.sampled_from(["[[step]]", "[[rule]]\nmatch = 'a'"]), values).map("{0[0]}\nsend = {0[1]}".format)


@given(st.lists(tables), tables, st.lists(tables | st.just("# [[step]]")))
def test_anyLayout(before: list[str], table: str, after: list[str]) -> None:
    """
    The line is that of the key, whatever strings, comments and arrays surround it.
    """
    lines = "\n".join([*before, table, "oops = 1", *after]).split("\n")
    line = "\n".join([*before, table]).count("\n") + 2
    assert lines[line - 1] == "oops = 1"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "smtp.toml")
        path.write_text("\n".join(lines))
        with pytest.raises(ScriptError, match=rf"^{path}:{line}: (step|rule) \d+, oops: expected one of "):
            loadScript(path)
