"""
The contract of responders, with one test case for each service.
"""

from __future__ import annotations

from tests.support.contract import contracts

globals().update(contracts(__name__))
