"""Events as GitHub's webhooks would make them, wrapped as CloudEvents; the same seed gives the same events."""

from __future__ import annotations

import random
from typing import Any

LOGINS = tuple(f"{name}-{number}" for name in ("ada", "grace", "edsger", "barbara", "donald") for number in range(8))
#: Of a hundred events, about so many of each type; nobody listens to the last one.
TYPES = {
    "issues.opened": 25,
    "issues.assigned": 10,
    "pull_request.opened": 20,
    "pull_request.review_requested": 12,
    "pull_request.closed": 10,
    "release.published": 5,
    "dependabot_alert.created": 5,
    "secret_scanning_alert.created": 3,
    "star.created": 10,
}


def events(count: int, seed: int) -> list[dict[str, Any]]:
    """`count` CloudEvents: some without a subject, some that come twice, some of a type that nobody listens to."""
    dice = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(count):
        if made and dice.random() < 0.03:
            made.append(dice.choice(made))
        else:
            made.append(event(dice, f"{seed}-{number}"))
    return made


def event(dice: random.Random, name: str) -> dict[str, Any]:
    """One of them."""
    [kind] = dice.choices(list(TYPES), list(TYPES.values()))
    login, repository = dice.choice(LOGINS), f"acme/{dice.choice(('rocket', 'anvil', 'magnet'))}"
    subject = {} if dice.random() < 0.05 else {"subject": login}
    return {
        "specversion": "1.0",
        "id": name,
        "source": f"https://api.github.example/repos/{repository}",
        "type": f"com.github.{kind}",
        "datacontenttype": "application/json",
        **subject,
        "data": payload(kind, login, repository, dice.randrange(1, 5000)),
    }


def payload(kind: str, login: str, repository: str, number: int) -> dict[str, Any]:
    """What the webhook of this kind would carry, without what no template shows."""
    home = f"https://github.example/{repository}"
    what, _, action = kind.partition(".")
    person = {"login": login, "html_url": f"https://github.example/{login}"}
    common = {"action": action, "repository": {"full_name": repository, "html_url": home}, "sender": person}
    thing = {
        "number": number,
        "title": f'Number {number} <needs> care & "time"',
        "user": person,
        "body": "First.\n\nSecond.",
    }
    match what:
        case "issues":
            return {**common, "issue": {**thing, "html_url": f"{home}/issues/{number}"}, "assignee": person}
        case "pull_request":
            request = {**thing, "html_url": f"{home}/pull/{number}", "merged": number % 2 == 0}
            return {**common, "number": number, "pull_request": request, "requested_reviewer": person}
        case "release":
            return {
                **common,
                "release": {"tag_name": f"v1.{number}", "name": None, "html_url": f"{home}/releases/{number}"},
            }
        case "star":
            return {**common, "starred_at": "2026-01-31T12:00:00Z"}
        case _:
            return {**common, "alert": {"number": number, "state": "open", "html_url": f"{home}/security/{number}"}}
