"""A transport that follows a script instead of a network."""

from __future__ import annotations

from angarium.ports.transport import Request, Response
from angarium.transport.errors import CallFailed


class ScriptedTransport:
    """Answers the calls from a script, in order; the last line of it answers all that follow.

    `requests` are the calls that came. A failure in the script is raised.
    """

    def __init__(self, *script: Response | CallFailed) -> None:
        self.script = list(script) or [Response(status=200)]
        self.requests: list[Request] = []

    async def call(self, request: Request) -> Response:
        """Keep the request; answer with the next line of the script."""
        self.requests.append(request)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, CallFailed):
            raise line
        return line
