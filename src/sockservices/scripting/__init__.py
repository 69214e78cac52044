"""
Services as coroutines: an C{async def} function that talks to one peer, or a script file that says the same.
"""

from sockservices.scripting.mismatch import Mismatch
from sockservices.scripting.remote_peer import ReceiveTimeout, RemotePeer
from sockservices.scripting.script_file import ScriptError, loadScript
from sockservices.transports.stream_reader import IncompleteRead, TooLong

__all__ = ["IncompleteRead", "Mismatch", "ReceiveTimeout", "RemotePeer", "ScriptError", "TooLong", "loadScript"]
