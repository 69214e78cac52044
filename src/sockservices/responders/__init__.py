"""
The responders of this package, one module per service. L{sockservices.registry} finds every class in this folder.
"""

from sockservices.responders.chargen import Chargen
from sockservices.responders.daytime import Daytime
from sockservices.responders.discard import Discard
from sockservices.responders.echo import Echo
from sockservices.responders.greet import Greet
from sockservices.responders.hello import Hello
from sockservices.responders.quote import Quote
from sockservices.responders.time import Time
from sockservices.responders.upper import Upper
from sockservices.responders.users import Users
from sockservices.responders.welcome import Welcome
from sockservices.responders.whoami import Whoami

__all__ = [
    "Chargen",
    "Daytime",
    "Discard",
    "Echo",
    "Greet",
    "Hello",
    "Quote",
    "Time",
    "Upper",
    "Users",
    "Welcome",
    "Whoami",
]
