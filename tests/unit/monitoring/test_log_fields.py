"""
The fields of a JSON line have one meaning each.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import sockservices
from sockservices.monitoring.log import FIELDS

#: The modules that log a field under its name, for the fields that not every line about a peer may have. The fields of
#: a listener come from its address, and have no such module.
MODULES = {
    "seconds": {"recorders"},
    "received": {"recorders", "trace"},
    "sent": {"recorders"},
    "outcome": {"recorders"},
    "counts": {"recorders"},
    "reason": {"drop_log"},
    "data": {"trace"},
    "exceeded": {"limit_log"},
    "totals": {"totals"},
    "listeners": {"supervisor"},
}

#: The fields that are the same in every line about a peer.
ABOUT_PEERS = {"service", "transport", "peer", "serial"}


def test_oneMeaning() -> None:
    """
    No line uses the name of a field for another value, such as the number of a port for an address. A log pipeline sums
    and groups by the fields.
    """
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for path in Path(sockservices.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
                for keyword in node.keywords:
                    if keyword.arg in FIELDS and keyword.arg not in ABOUT_PEERS:
                        modules[keyword.arg].add(path.stem)
    assert modules == MODULES
