"""
The form of each endpoint string, for the errors of malformed ones.
"""

from __future__ import annotations

from pathlib import PurePath

__all__ = ["endpointError", "withForm"]

#: The form of an endpoint string, by its prefix. Without an interface, those of Twisted and their fast substitutes
#: listen on every interface, which the command rejects.
FORMS = {
    "tcp": "tcp:PORT[:interface=ADDRESS]",
    "udp": "udp:PORT[:interface=ADDRESS]",
    "unix": "unix:PATH[:mode=660]",
    "unixgram": "unixgram:PATH[:mode=660]",
    "systemd": "systemd:NAME",
    "haproxy": "haproxy:tcp:PORT, haproxy:unix:PATH or haproxy:systemd:NAME",
    "ssl": "ssl:PORT:privateKey=KEY.pem:certKey=CERTIFICATE.pem:interface=ADDRESS",
    "tcp6": "tcp6:PORT:interface=ADDRESS",
    "fasttcp": "fasttcp:PORT:interface=ADDRESS",
    "fastunix": "fastunix:PATH[:mode=660]",
}


def withForm(error: object, prefix: str) -> ValueError:
    """
    Make an error that ends with the form of an endpoint string.

    @param error: what is wrong with the string.
    @param prefix: a key of L{FORMS}.
    """
    return ValueError(f"{error}; the form is {FORMS[prefix]}")


def endpointError(text: str, error: Exception) -> ValueError:
    """
    Make the error for an endpoint string that Twisted cannot parse.

    @param error: the exception that Twisted has raised.
    @return: the string, the cause, and the form of its prefix; for an unknown prefix, all known ones; for a file that
        the string names, only the cause.
    """
    if isinstance(error, OSError) and error.filename and PurePath(error.filename).name in text:
        return ValueError(_cause(error))
    prefix, _, rest = text.partition(":")
    wrapped = rest.partition(":")[0]
    if prefix == "haproxy" and wrapped in FORMS:
        prefix = wrapped
    elif prefix == "haproxy" or str(error).startswith("Unknown endpoint type"):
        expected = FORMS.get(prefix) or f"{', '.join(f'{each}:' for each in FORMS)} or another prefix of Twisted's"
        return ValueError(f"{text!r}: expected {expected}")
    cause = f"{text!r}: {_cause(error)}"
    return withForm(cause, prefix) if prefix in FORMS else ValueError(cause)


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, TypeError):
        # Its text names functions of Twisted.
        return "an argument is missing, or not known"
    if error.args and isinstance(error.args[0], list):
        # Of each error of OpenSSL: the library, the function and the reason.
        return "OpenSSL: " + ", ".join(str(reason) for *_, reason in error.args[0])
    text = str(error)
    if text.startswith("invalid literal for int()"):
        return f"{text.rpartition(': ')[2]}: expected a number"
    return text or type(error).__name__
