"""
The contract that every registered responder keeps, one test case per service.
"""

from __future__ import annotations

from tests.support.contract import contracts

globals().update(contracts(__name__))
