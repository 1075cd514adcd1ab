"""The page *Vectors* in Airflow's navigation: pins, migrations, what they did and found, and the button that goes back.

One file, because Airflow loads every .py in this folder as a plugin, in each of its processes: so nothing but Airflow's
plugin class is imported until the api-server is asked for the page.
"""

# No ``from __future__ import annotations`` here: FastAPI must see types that exist only inside ``_build``.

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vecferry.domain.lifecycle import Migration
    from vecferry.ports import Ports

_EVENTS = 100
_ROLLBACK_DAG = "embedding_rollback"
"""Who may trigger this DAG may press the button; who may only look may not."""


class LazyApp:
    """An ASGI application that is made when the first request comes."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._app = self._app or _build()
        await self._app(scope, receive, send)


class VecferryPlugin(AirflowPlugin):
    name = "vecferry"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/vecferry", "name": "vecferry"}]
    external_views = [
        {
            "name": "Vectors",
            "href": "/vecferry/migrations",
            "destination": "nav",
            "url_route": "vecferry",
            "nav_top_level": True,
        }
    ]


def _build() -> "FastAPI":
    from airflow.api_fastapi.core_api.security import requires_authenticated
    from fastapi import Depends, FastAPI

    # Airflow protects the apps of plugins by nothing unless they do so themselves.
    app = FastAPI(dependencies=[Depends(requires_authenticated())], docs_url=None, redoc_url=None, openapi_url=None)
    _tell_errors(app)
    _add_page(app)
    _add_reading(app)
    _add_roll_back(app)
    return app


def _tell_errors(app: "FastAPI") -> None:
    from fastapi.responses import JSONResponse

    from vecferry.errors import NotFound, VecferryError

    @app.exception_handler(VecferryError)
    def told(_request: Any, error: VecferryError) -> JSONResponse:
        return JSONResponse(error.as_dict(), status_code=404 if isinstance(error, NotFound) else 409)


def _add_page(app: "FastAPI") -> None:
    from fastapi.responses import HTMLResponse

    @app.get("/migrations")
    def page() -> HTMLResponse:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})


def _add_reading(app: "FastAPI") -> None:
    """Plain functions as handlers: FastAPI runs them in threads, so a slow ledger holds up nobody else."""

    @app.get("/api/pins")
    def pins() -> list[dict[str, Any]]:
        with _ports() as ports:
            return [_pin_row(ports, name) for name in sorted(pin.name for pin in ports.ledger.pins())]

    @app.get("/api/migrations")
    def migrations() -> list[dict[str, Any]]:
        with _ports() as ports:
            return [_summary(ports, migration) for migration in ports.ledger.migrations()]

    @app.get("/api/migrations/{migration_id}")
    def migration(migration_id: str) -> dict[str, Any]:
        with _ports() as ports:
            return _detail(ports, ports.ledger.migration(migration_id))


def _add_roll_back(app: "FastAPI") -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
    from fastapi import Body, Depends

    allowed = Depends(requires_access_dag("POST", DagAccessEntity.RUN, _ROLLBACK_DAG))
    # A JSON body, which no page of another site can send without asking first.
    reason = Body(embed=True, min_length=3)

    @app.post("/api/migrations/{migration_id}/rollback", dependencies=[allowed])
    def roll_back(migration_id: str, why: str = reason, user: Any = Depends(get_user)) -> dict[str, Any]:
        from vecferry.steps import roll_back as step

        with _ports() as ports:
            return step.act(ports, migration_id, who=user.get_name(), why=why)


# --- what the ledger says ---------------------------------------------------------------------------------------------


@contextmanager
def _ports() -> Iterator["Ports"]:
    """Opened for one request: the page is looked at by few, and must not keep a connection that nobody uses."""
    from vecferry.airflow.connections import connection_values, in_the_api_server
    from vecferry.bootstrap import close_ports, connect_ports

    ports = connect_ports(connections=connection_values(lookup=in_the_api_server))
    try:
        yield ports
    finally:
        close_ports(ports)


def _pin_row(ports: "Ports", name: str) -> dict[str, Any]:
    snapshot = ports.ledger.snapshot(name)
    pin, routing = snapshot.pin, snapshot.routing
    leases, now = ports.ledger.leases(name)
    return {
        "pin": pin.name,
        "collection": pin.collection,
        "space": pin.space.id,
        "alias": pin.alias,
        "routing": {"version": routing.version, "mode": routing.mode.value, "percent": routing.percent},
        "routers": sum(lease.expires_at > now for lease in leases),
        "migration": snapshot.migration.id if snapshot.migration else None,
    }


def _summary(ports: "Ports", migration: "Migration") -> dict[str, Any]:
    spend = ports.ledger.spend(migration_id=migration.id)
    return {
        "id": migration.id,
        "pin": migration.pin,
        "phase": migration.phase.value,
        "percent": migration.percent,
        "paused": migration.paused,
        "from": migration.from_space.id,
        "to": migration.spec.space.id,
        "shadow": migration.spec.shadow,
        "attempt": migration.attempt,
        "notice": migration.notice_id,
        "chunks": _chunks(ports, migration),
        "spend": {"usd": spend.cost_usd, "tokens": spend.tokens, "budget_usd": migration.options.get("budget_usd")},
        "can_roll_back": migration.phase.value == "serving",
    }


def _chunks(ports: "Ports", migration: "Migration") -> dict[str, int]:
    chunks = ports.ledger.chunks(migration.id)
    done = sum(chunk.state.value == "done" for chunk in chunks)
    return {"done": done, "total": len(chunks), "rows": sum(chunk.rows_out for chunk in chunks)}


def _detail(ports: "Ports", migration: "Migration") -> dict[str, Any]:
    ledger = ports.ledger
    return {
        **_summary(ports, migration),
        "journal": {
            "rows": {kind.value: count for kind, count in ledger.journal_counts(migration.id).items()},
            "oldest_s": ledger.oldest_row_age_s(migration.id),
        },
        "verdicts": [{"at": at.isoformat(), **verdict.as_dict()} for at, verdict in ledger.verdicts(migration.id)],
        "events": [
            {"at": event.at.isoformat(), "who": event.who, "what": event.headline, "why": event.why}
            for event in ledger.events(migration_id=migration.id, limit=_EVENTS)
        ],
        "plan": migration.plan,
        "options": migration.options,
    }


# --- the page ---------------------------------------------------------------------------------------------------------

CSP = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'self'"

# Text from the ledger reaches the page by ``textContent`` only, so nothing in it can become markup. No dialogs: the frame
# that Airflow shows this in may not open any.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Vectors</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; max-width: 72rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; } h3 { font-size: .95rem; margin: 1rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; } 
th, td { text-align: left; padding: .25rem .6rem .25rem 0; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid var(--line); } td { border-bottom: 1px solid var(--line); }
td.text { white-space: pre-wrap; overflow-wrap: anywhere; } td.when { white-space: nowrap; opacity: .7; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .3rem 1rem 1rem; margin: .8rem 0; }
.PASS { color: #18794e; } .FAIL { color: #c62a2f; } .INCONCLUSIVE, .NO_DATA, .paused { color: #ad5700; }
.muted { opacity: .7; } progress { width: 8rem; vertical-align: middle; }
form { display: flex; gap: .5rem; margin: .5rem 0; } input { flex: 1; padding: .3rem; } button { padding: .3rem .8rem; }
</style></head><body>
<h1>Vectors</h1><p id="said" class="muted" role="status">Reading the ledger…</p>
<h2>Pins</h2><div id="pins"></div>
<h2>Migrations</h2><div id="migrations"></div>
<script>
"use strict";
const at = id => document.getElementById(id);
function el(tag, text, attributes) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = String(text);
  Object.assign(node, attributes || {});
  return node;
}
function table(heads, rows) {
  if (!rows.length) return el("p", "None.", {className: "muted"});
  const node = el("table"), head = node.createTHead().insertRow();
  heads.forEach(text => head.append(el("th", text)));
  const body = node.createTBody();
  rows.forEach(cells => {
    const row = body.insertRow();
    cells.forEach(cell => row.append(cell instanceof Node ? cell : el("td", cell)));
  });
  return node;
}
async function call(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const ours = [body.where, body.what, body.next].filter(Boolean).join(" · ");
    const text = ours || JSON.stringify(body.detail || body);
    throw new Error(answer.status + ": " + text);
  }
  return body;
}
const when = text => el("td", text.slice(0, 19).replace("T", " "), {className: "when"});
const long = text => el("td", text, {className: "text"});
const number = value => value.toLocaleString("en");

function pinsTable(pins) {
  return table(["Pin", "Collection", "Model", "Routing", "Routers", "Migration"], pins.map(p => [
    p.pin, p.collection, p.space, `version ${p.routing.version}, ${p.routing.mode}, ${p.routing.percent}%`, p.routers,
    p.migration || "—"]));
}
function progress(chunks) {
  const cell = el("td");
  if (!chunks.total) return el("td", "not planned");
  cell.append(el("progress", "", {max: chunks.total, value: chunks.done}),
              ` ${chunks.done} of ${chunks.total} chunks, ${number(chunks.rows)} objects`);
  return cell;
}
function facts(m) {
  const budget = m.spend.budget_usd ? ` of $${m.spend.budget_usd}` : "";
  const kinds = Object.entries(m.journal.rows).map(([kind, count]) => `${count} ${kind}`).join(", ");
  return table(["", ""], [
    ["From → to", `${m.from} → ${m.to} (${m.shadow}, attempt ${m.attempt})`],
    ["Queries on the new model", `${m.percent}%`],
    ["Backfill", progress(m.chunks)],
    ["Journal", kinds ? `${kinds}; the oldest is ${m.journal.oldest_s.toFixed(1)} s old` : "empty"],
    ["Spend", `$${m.spend.usd.toFixed(4)}${budget}, ${number(m.spend.tokens)} tokens`]]);
}
function verdicts(m) {
  return table(["When", "Stage", "Verdict", "Because"], m.verdicts.slice().reverse().map(v => [
    when(v.at), v.stage, el("td", v.outcome, {className: v.outcome}),
    long(v.accepted_by ? `${v.reason}\\nAccepted by ${v.accepted_by}: ${v.accepted_why}` : v.reason)]));
}
function events(m) {
  return table(["When", "Who", "What", "Why"], m.events.slice().reverse().map(e => [when(e.at), e.who, e.what, long(e.why)]));
}
function rollBackForm(m) {
  const box = el("details"), form = el("form"), why = el("input", "", {required: true, minLength: 3, name: "why"});
  why.placeholder = "Why? It stands in the ledger, with your name.";
  why.setAttribute("aria-label", "Why roll back");
  form.append(why, el("button", `Send all queries of ${m.pin} back to ${m.from}`));
  form.onsubmit = event => { event.preventDefault(); rollBack(m, why.value, box); };
  box.append(el("summary", "Roll back…"), form);
  return box;
}
async function rollBack(m, why, box) {
  try {
    await call(`api/migrations/${encodeURIComponent(m.id)}/rollback`, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({why})});
    box.open = false;
    await show();
  } catch (error) { at("said").textContent = "Not rolled back. " + error.message; }
}
function folded(title, content) {
  const box = el("details");
  box.append(el("summary", title), content);
  return box;
}
function section(m) {
  const node = el("section");
  node.append(el("h3", `${m.pin}: ${m.phase.replaceAll("_", " ")} `), el("p", m.id, {className: "muted"}));
  if (m.paused) node.append(el("p", `Paused: ${m.paused}. To go on: vecferry unpause ${m.pin}`, {className: "paused"}));
  node.append(facts(m));
  if (m.can_roll_back) node.append(rollBackForm(m));
  node.append(folded(`Verdicts (${m.verdicts.length})`, verdicts(m)), folded(`Events (${m.events.length})`, events(m)));
  return node;
}
const reading = () => document.querySelector("details[open]") !== null;
async function show() {
  try {
    const [pins, list] = await Promise.all([call("api/pins"), call("api/migrations")]);
    const details = await Promise.all(list.slice(0, 20).map(m => call(`api/migrations/${encodeURIComponent(m.id)}`)));
    at("pins").replaceChildren(pinsTable(pins));
    at("migrations").replaceChildren(...(details.length ? details.map(section) : [el("p", "None.", {className: "muted"})]));
    at("said").textContent = "As of " + new Date().toLocaleTimeString() + (list.length > 20 ? "; the newest 20 are shown" : "");
  } catch (error) { at("said").textContent = "The ledger cannot be read. " + error.message; }
}
show();
setInterval(() => { if (!reading() && !document.hidden) show(); }, 5000);
</script></body></html>
"""
