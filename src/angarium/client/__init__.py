"""Angarium from Python, over HTTP: `Client` for plain code, `AsyncClient` for an event loop."""

from __future__ import annotations

from angarium.client.aio import AsyncClient
from angarium.client.answers import Busy, Page, Problem, Published, Stored
from angarium.client.sync import Client

__all__ = ["AsyncClient", "Busy", "Client", "Page", "Problem", "Published", "Stored"]
