"""
The public names of the types that the pytest fixture C{sockservice} returns, for type annotations.
"""

from sockservices.testing.background_server import BackgroundServer
from sockservices.testing.fixture import Servers

__all__ = ["BackgroundServer", "Servers"]
