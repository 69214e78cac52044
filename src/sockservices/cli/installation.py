"""
How to install the packages of the extra C{cli}.

This module imports nothing: L{sockservices.__main__} needs it before the optional packages are known to be installed.
"""

from __future__ import annotations

__all__ = ["INSTALL_CLI"]

#: The command of docs/installing.md: no version is on PyPI yet. A release changes both; a test compares them.
INSTALL_CLI = "pip install '.[cli]' in a checkout of sockservices"
