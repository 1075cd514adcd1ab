"""One spelling for one object id."""

from __future__ import annotations

import re
import uuid as uuids

from vecferry.errors import BadInput

_IS_CANONICAL = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def canonical_uuid(uuid: str) -> str:
    """Lower case with dashes, as the server answers; text order is then the order of its cursor."""
    if isinstance(uuid, str) and _IS_CANONICAL(uuid):  # most are, and are asked for again and again
        return uuid
    try:
        return str(uuids.UUID(uuid))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput("not a UUID", where=str(uuid), next_action="Give object ids as UUIDs.") from error


def uuid_before(uuid: str) -> str:
    """The greatest id below; for a cursor that starts behind its ``after``. There is none below the all-zero one."""
    return str(uuids.UUID(int=uuids.UUID(uuid).int - 1))
