"""
The public name of what the pytest fixture C{sockservice} is made of.
"""

from sockservices.testing.fixture import Servers

__all__ = ["Servers"]
