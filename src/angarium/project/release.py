"""A release: the workflows, categories and templates that workers run, named by the hash of their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import Struct, structs

from angarium import content
from angarium.content import Content
from angarium.decide.match import Matcher
from angarium.expressions import Expressions
from angarium.model.category import Category
from angarium.model.ids import digest
from angarium.model.workflow import Plan, Workflow
from angarium.project import files as project_files
from angarium.project.categories import categories
from angarium.project.problems import Problems
from angarium.project.workflows import FOLDER, Known, workflow


class Release(Struct, frozen=True, kw_only=True):
    """All that workers need of a project. `files` holds its bytes by path, `manifest` their hashes.

    `expressions` is shared by everything that evaluates for this release.
    """

    id: str
    files: Mapping[str, bytes]
    manifest: Mapping[str, str]
    workflows: Mapping[str, Workflow]
    categories: Mapping[str, Category]
    matcher: Matcher
    content: Content
    expressions: Expressions

    def plan(self, workflow: Workflow) -> Plan:
        """What a run of `workflow` is pinned to. The workflow's own `expires` goes before its category's."""
        category = self.categories[workflow.category]
        if workflow.expires is not None:
            category = structs.replace(category, expires=workflow.expires)
        return Plan(steps=workflow.steps, category=category, until=workflow.until)


def load(files: Mapping[str, bytes]) -> Release:
    """The release made of these files, wherever they were read from: the same bytes give the same release.

    Raises `Invalid` for a mistake, or `Broken` (an `Invalid` too) with all of them.
    """
    problems, expressions = Problems(), Expressions()
    known = categories(files, problems)
    workflows = _workflows(files, Known(known, expressions, problems))
    made = content.build(workflows.values(), files, expressions, problems.caught)
    problems.settle()
    manifest = {path: file_hash(files[path]) for path in sorted(files)}
    return Release(
        id=release_id(manifest),
        files=dict(files),
        manifest=manifest,
        workflows=workflows,
        categories=known,
        matcher=Matcher(workflows.values(), known),
        content=made,
        expressions=expressions,
    )


def file_hash(data: bytes) -> str:
    """BLAKE2b-256 of a file in hexadecimal: the name under which a store keeps its bytes."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def release_id(manifest: Mapping[str, str]) -> str:
    """The id of the files with these hashes, by path; the order of the mapping does not matter."""
    return "rel_" + digest(*(part for path in sorted(manifest) for part in (path, manifest[path])))


def _workflows(files: Mapping[str, bytes], known: Known) -> dict[str, Workflow]:
    found: dict[str, Workflow] = {}
    for path in sorted(files):
        if path.startswith(FOLDER) and path.endswith(".toml"):
            with known.problems.caught():
                one = workflow(path, project_files.table(files, path), known)
                if one is not None:
                    found[one.name] = one
    return found
