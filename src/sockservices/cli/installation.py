"""
How to install the packages of the extra C{cli}.

This module imports nothing: L{sockservices.__main__} needs it before the optional packages are known to be installed.
"""

from __future__ import annotations

__all__ = ["INSTALL_CLI"]

#: The command that works now: no version of the project is on PyPI. A release replaces it, and the section "Install" of
#: README.md, by C{pip install 'sockservices[cli]'}. A test compares the two.
INSTALL_CLI = "pip install '.[cli]' in a checkout of sockservices"
