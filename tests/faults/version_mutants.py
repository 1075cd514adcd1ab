"""The product without what rules 13, 15, 16 and 18 ask of releases, leases and restored ledgers: patches in tests only."""

from __future__ import annotations

import pytest

from vecferry.adapters.ledger import routing_rules
from vecferry.protocol import restored
from vecferry.router.membership import Membership
from vecferry.router.searching import Searching


def the_ledger_lets_any_protocol_in(patch: pytest.MonkeyPatch) -> None:
    """Rule 18, for routers that were deployed long ago."""
    patch.setattr(routing_rules, "check_protocol", lambda lease, active: None)
    patch.setattr(routing_rules, "check_owner", lambda *given: None)


def rows_are_opened_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    """Rules 15 and 18 at the journal."""
    patch.setattr(routing_rules, "check_owner", lambda *given: None)


def routers_do_not_look_at_the_protocol(patch: pytest.MonkeyPatch) -> None:
    """Rule 18, for routers that can be taught."""
    patch.setattr(Membership, "_understands", lambda self, migration: True)


def a_dismissed_router_goes_on(patch: pytest.MonkeyPatch) -> None:
    """Rule 15 after a dismissal: what began under the ended lease is not fenced."""
    patch.setattr(Membership, "unbroken_lease", lambda self: lambda: True)


def nobody_remembers_the_ledger(patch: pytest.MonkeyPatch) -> None:
    """A restored ledger is taken for the one that was there."""
    patch.setattr(routing_rules, "check_known", lambda *given: None)


def collections_are_not_asked(patch: pytest.MonkeyPatch) -> None:
    """Who has just begun believes the ledger."""
    patch.setattr(restored, "check", lambda *given: None)


def expired_routers_ask_no_signpost(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 5."""
    patch.setattr(Searching, "_standing_route", Searching.route)
