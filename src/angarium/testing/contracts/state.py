"""The suite of `ports.state.State`. Fixtures: `state` (entered), `pass_time`, `wipe`; `DurableStateContract`: `reopen`.

Leases and windows that must end are fractions of a second, those that must not are `LONG`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.ports.state import Answer, Ask, Behind, Busy, Claim, Done, Go, Lapsed, Release, State, Window
from angarium.testing.contracts import PassTime

#: Loses everything the store knows and gives a state over what is left; the fixture closes it.
Wipe = Callable[[], Awaitable[State]]
#: Closes the state of the fixture `state`, as its process would by ending, and gives another one over the same data.
Reopen = Callable[[], Awaitable[State]]
#: Seconds: a lease that ends within the test, and one that does not.
SHORT, LONG = 0.05, 60.0


async def claim(state: State, try_: int = 1, delivery: str = "dlv_1", lease: float = LONG) -> object:
    """The verdict on one claim."""
    return (await state.claim([Claim(delivery, try_, lease)]))[delivery]


async def token(state: State, try_: int = 1, delivery: str = "dlv_1", lease: float = LONG) -> int:
    """The token of a claim that must be allowed."""
    allowed = await claim(state, try_, delivery, lease)
    assert isinstance(allowed, Go)
    return allowed.token


async def granted(state: State, count: int, rate: float, account: str = "sms") -> int:
    """How many tokens were there."""
    return (await state.take([Ask(account, count, rate)]))[account].count


async def counted(state: State, *events: str, key: str = "rule", seconds: float = LONG) -> int:
    """The count of a window after these events, asked in one batch."""
    return (await state.count([Window(key, event, seconds) for event in events]))[key]


class StateContract:
    """What every state does. Each test finds it empty."""

    async def test_a_new_delivery_may_be_called(self, state: State) -> None:
        assert isinstance(await claim(state), Go)

    async def test_a_later_try_may_be_called_whatever_became_of_the_earlier_one(self, state: State) -> None:
        first = await token(state, try_=1, delivery="unanswered")
        second = await token(state, try_=1, delivery="answered")
        await state.settle([Answer("answered", 1, second, Retry(Reason.rate_limited))])

        assert await token(state, try_=2, delivery="unanswered") > first
        assert await token(state, try_=2, delivery="answered") > second

    async def test_a_running_claim_is_busy_for_what_is_left_of_its_lease(
        self, state: State, pass_time: PassTime
    ) -> None:
        await claim(state, lease=LONG)
        await pass_time(SHORT)
        verdict = await claim(state, lease=LONG)

        assert isinstance(verdict, Busy)
        assert 0.5 * LONG * 1000 < verdict.ms <= (LONG - SHORT) * 1000

    async def test_a_lease_that_ran_out_unanswered_is_lapsed_and_stays_so(
        self, state: State, pass_time: PassTime
    ) -> None:
        """Nobody knows whether the service was called: whoever comes next must not."""
        held = await token(state, lease=SHORT)
        await pass_time(2 * SHORT)

        assert await claim(state, lease=LONG) == Lapsed(held)
        assert await claim(state, lease=LONG) == Lapsed(held)

    async def test_a_remainder_longer_than_the_lease_counts_as_over(self, state: State) -> None:
        """The store's clock went back, or the lease was configured shorter."""
        held = await token(state, lease=LONG)

        assert await claim(state, lease=LONG / 2) == Lapsed(held)

    @pytest.mark.parametrize(
        "result",
        [Sent("SM1"), Retry(Reason.rate_limited, 30.0), Rejected(Reason.bad_address), Unknown(Reason.timeout)],
        ids=lambda result: type(result).__name__,
    )
    async def test_a_settled_answer_is_told_to_whoever_claims_again(self, state: State, result: Result) -> None:
        """A crash before the commit shows a worker the same record again."""
        held = await token(state)
        await state.settle([Answer("dlv_1", 1, held, result)])

        assert await claim(state) == Done(result, held)

    async def test_an_answer_may_come_after_the_lease(self, state: State, pass_time: PassTime) -> None:
        held = await token(state, lease=SHORT)
        await pass_time(2 * SHORT)
        await state.settle([Answer("dlv_1", 1, held, Sent("late"))])

        assert await claim(state) == Done(Sent("late"), held)

    async def test_an_earlier_try_is_behind(self, state: State) -> None:
        held = await token(state, try_=3)
        assert await claim(state, try_=2) == Behind(3, None)

        await state.settle([Answer("dlv_1", 3, held, Sent("SM3"))])
        assert await claim(state, try_=1) == Behind(3, Sent("SM3"))

    async def test_a_stale_tokens_answer_is_ignored(self, state: State) -> None:
        stale = await token(state, try_=1)
        held = await token(state, try_=2)
        await state.settle([Answer("dlv_1", 1, stale, Rejected(Reason.bad_address))])
        assert isinstance(await claim(state, try_=2), Busy)

        await state.settle([Answer("dlv_1", 2, held, Sent("SM2"))])
        await state.settle([Answer("dlv_1", 1, stale, Rejected(Reason.bad_address))])
        assert await claim(state, try_=2) == Done(Sent("SM2"), held)

    async def test_a_missing_key_is_made_again_by_an_answer(self, state: State, wipe: Wipe) -> None:
        """An answer once received is never thrown away, even if the store lost the claim."""
        held = await token(state)
        state = await wipe()
        await state.settle([Answer("dlv_1", 1, held, Sent("SM1"))])

        assert await claim(state) == Done(Sent("SM1"), held)

    async def test_tokens_grow_also_after_a_wipe(self, state: State, wipe: Wipe, pass_time: PassTime) -> None:
        tokens = [await token(state, try_=number) for number in (1, 2, 3)]
        await pass_time(SHORT)
        state = await wipe()
        tokens.append(await token(state, try_=3))

        assert tokens == sorted(set(tokens))

    async def test_a_token_is_larger_than_that_of_an_answer_from_before_the_wipe(
        self, state: State, wipe: Wipe
    ) -> None:
        held = await token(state)
        state = await wipe()
        await state.settle([Answer("dlv_1", 1, held, Retry(Reason.overloaded))])

        assert await token(state, try_=2) > held

    async def test_after_a_wipe_the_answer_of_an_older_claim_is_stale(
        self, state: State, wipe: Wipe, pass_time: PassTime
    ) -> None:
        older = await token(state)
        await pass_time(SHORT)
        state = await wipe()
        newer = await token(state)
        await state.settle([Answer("dlv_1", 1, older, Rejected(Reason.bad_address))])
        await state.settle([Answer("dlv_1", 1, newer, Sent("SM1"))])

        assert await claim(state) == Done(Sent("SM1"), newer)

    async def test_a_released_claim_may_be_claimed_again_with_a_larger_token(self, state: State) -> None:
        held = await token(state)
        await state.settle([Release("dlv_1", held)])

        assert await token(state) > held

    async def test_only_the_holder_releases_and_only_what_is_unanswered(self, state: State) -> None:
        stale = await token(state, try_=1)
        held = await token(state, try_=2)
        await state.settle([Release("dlv_1", stale)])
        assert isinstance(await claim(state, try_=2), Busy)

        await state.settle([Answer("dlv_1", 2, held, Sent("SM2"))])
        await state.settle([Release("dlv_1", held)])
        assert await claim(state, try_=2) == Done(Sent("SM2"), held)

    async def test_releasing_what_is_not_there_does_nothing(self, state: State) -> None:
        await state.settle([Release("dlv_1", 1)])

        assert isinstance(await claim(state), Go)

    async def test_the_claims_of_a_batch_are_judged_one_by_one(self, state: State, pass_time: PassTime) -> None:
        lapsed = await token(state, delivery="lapsed", lease=SHORT)
        done = await token(state, delivery="done")
        await state.settle([Answer("done", 1, done, Sent("SM1"))])
        await claim(state, delivery="behind", try_=5)
        await pass_time(2 * SHORT)
        verdicts = dict(await state.claim([Claim(name, 1, LONG) for name in ("done", "new", "behind", "lapsed")]))

        assert isinstance(verdicts.pop("new"), Go)
        assert verdicts == {"done": Done(Sent("SM1"), done), "behind": Behind(5, None), "lapsed": Lapsed(lapsed)}

    async def test_a_batch_settles_answers_and_releases_together(self, state: State) -> None:
        one, two = await token(state, delivery="one"), await token(state, delivery="two")
        await state.settle([Release("two", two), Answer("one", 1, one, Sent("SM1"))])

        assert await claim(state, delivery="one") == Done(Sent("SM1"), one)
        assert isinstance(await claim(state, delivery="two"), Go)

    async def test_empty_batches_are_nothing(self, state: State) -> None:
        await state.settle([])

        assert [dict(await state.claim([])), dict(await state.take([])), dict(await state.count([]))] == [{}, {}, {}]

    async def test_a_second_of_rate_tokens_is_there_at_once_and_no_more(self, state: State) -> None:
        assert await granted(state, 7, rate=10) == 7
        assert await granted(state, 7, rate=10) == 3
        assert await granted(state, 7, rate=10) == 0

    async def test_rate_tokens_come_back_at_their_rate(self, state: State, pass_time: PassTime) -> None:
        await granted(state, 20, rate=20)
        await pass_time(0.25)

        assert 5 <= await granted(state, 20, rate=20) < 20

    async def test_whoever_waits_as_told_gets_a_token(self, state: State, pass_time: PassTime) -> None:
        grant = (await state.take([Ask("sms", 50, 30.0)]))["sms"]
        assert grant.count == 30
        assert 0 < grant.wait <= 1 / 30

        await pass_time(grant.wait)
        assert await granted(state, 1, rate=30.0) == 1

    async def test_what_is_left_needs_no_wait(self, state: State) -> None:
        assert (await state.take([Ask("sms", 1, 10.0)]))["sms"].wait == 0

    async def test_a_slow_rate_still_has_one_token(self, state: State) -> None:
        assert await granted(state, 5, rate=0.01) == 1
        grant = (await state.take([Ask("sms", 1, 0.01)]))["sms"]
        assert grant.count == 0
        assert 90 < grant.wait <= 100

    async def test_accounts_have_rates_of_their_own(self, state: State) -> None:
        grants = await state.take([Ask("sms", 5, 2.0), Ask("email", 5, 4.0)])

        assert {account: grant.count for account, grant in grants.items()} == {"sms": 2, "email": 4}

    async def test_an_event_counts_once(self, state: State) -> None:
        assert await counted(state, "a") == 1
        assert await counted(state, "a", "b", "b") == 2
        assert await counted(state, "b") == 2

    async def test_an_event_leaves_the_window_in_its_time(self, state: State, pass_time: PassTime) -> None:
        await counted(state, "a", seconds=4 * SHORT)
        await pass_time(3 * SHORT)
        assert await counted(state, "a", "b", seconds=4 * SHORT) == 2
        await pass_time(2 * SHORT)

        assert await counted(state, "c", seconds=4 * SHORT) == 2

    async def test_an_event_that_left_the_window_counts_anew(self, state: State, pass_time: PassTime) -> None:
        await counted(state, "a", seconds=SHORT)
        await pass_time(2 * SHORT)

        assert await counted(state, "a", "b", seconds=SHORT) == 2

    async def test_windows_have_keys_of_their_own(self, state: State) -> None:
        counts = await state.count([Window("x", "a", LONG), Window("y", "a", LONG), Window("x", "b", LONG)])

        assert dict(counts) == {"x": 2, "y": 1}

    async def test_whoever_claims_again_is_told_which_account_it_was(self, state: State, pass_time: PassTime) -> None:
        """Another account must not be blamed for a call, nor be asked to repeat it."""
        named = [Claim("one", 1, LONG, "first"), Claim("two", 1, LONG, "second")]
        went = await state.claim(named)
        one, two = went["one"], went["two"]
        assert isinstance(one, Go)
        assert isinstance(two, Go)
        await state.settle([Answer("one", 1, one.token, Sent("SM1"))])
        await pass_time(2 * LONG)
        told = await state.claim([Claim("one", 1, LONG, "third"), Claim("two", 1, LONG, "third")])
        assert dict(told) == {"one": Done(Sent("SM1"), one.token, "first"), "two": Lapsed(two.token, "second")}


class DurableStateContract(StateContract):
    """And what a state does that outlives its process and is held by one process at a time."""

    async def test_answers_are_there_after_a_restart(self, state: State, reopen: Reopen) -> None:
        held = await token(state)
        await state.settle([Answer("dlv_1", 1, held, Sent("SM1"))])
        state = await reopen()

        assert await claim(state) == Done(Sent("SM1"), held)

    async def test_a_running_lease_ends_with_its_holder(self, state: State, reopen: Reopen) -> None:
        """Only one process holds the store: a claim from before the restart has nobody who calls."""
        held = await token(state, lease=LONG)
        state = await reopen()

        assert await claim(state, lease=LONG) == Lapsed(held)

    async def test_a_lease_after_the_restart_runs(self, state: State, reopen: Reopen) -> None:
        await claim(state)
        state = await reopen()
        await claim(state, try_=2)

        assert isinstance(await claim(state, try_=2), Busy)

    async def test_what_was_released_before_a_restart_may_be_claimed(self, state: State, reopen: Reopen) -> None:
        held = await token(state)
        await state.settle([Release("dlv_1", held)])
        state = await reopen()

        assert await token(state) > held

    async def test_rates_and_windows_go_on_after_a_restart(self, state: State, reopen: Reopen) -> None:
        await granted(state, 5, rate=0.01)
        await counted(state, "a")
        state = await reopen()

        assert await granted(state, 1, rate=0.01) == 0
        assert await counted(state, "a", "b") == 2
