"""
Makes C{fasttcp:} and C{fastunix:} known to C{serverFromString}.
"""

from sockservices.transports.endpoint_strings import FastTCP, FastUNIX

fastTCP = FastTCP()
fastUNIX = FastUNIX()
