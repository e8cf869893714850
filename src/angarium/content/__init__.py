"""Content: what a workflow says on each channel, compiled once and rendered into messages."""

from __future__ import annotations

from angarium.content.render import Content, build
from angarium.content.templates import Unrenderable

__all__ = ["Content", "Unrenderable", "build"]
