"""What takes the place of "spend is never deleted", of revision 0006: a settled row goes where a sum stands for it."""

from __future__ import annotations

_SUMMED = (
    "OLD.settled AND EXISTS (SELECT 1 FROM spend s WHERE s.pin = OLD.pin AND s.migration_id = OLD.migration_id"
    " AND s.purpose = OLD.purpose AND s.id > OLD.id AND s.through >= OLD.id AND s.settled)"
)
_WORDS = "spend is deleted only where a sum stands for it"

SQLITE = (
    "DROP TRIGGER spend_kept",
    f"CREATE TRIGGER spend_kept BEFORE DELETE ON spend WHEN NOT ({_SUMMED}) BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END",
)
POSTGRESQL = (
    # A trigger for DELETE that returns NEW, which is null there, lets nothing be deleted and says nothing.
    "CREATE OR REPLACE FUNCTION spend_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF NOT ({_SUMMED}) THEN RAISE EXCEPTION '{_WORDS}' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $$",
)
