"""
The name that version 0.1.0 gave to L{BackgroundServer}, for type annotations.
"""

from sockservices.testing.background_server import BackgroundServer as Served

__all__ = ["Served"]
