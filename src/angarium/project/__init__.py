"""A project directory, read into a release: what workers run, named by its content."""

from __future__ import annotations

from angarium.project.files import read
from angarium.project.problems import Broken
from angarium.project.release import Release, load

__all__ = ["Broken", "Release", "load", "read"]
