"""``make faults``: the product on real processes, with everything around it killed, stopped, cut and made to lie.

Each seed leaves a folder ``seed-<n>/``, which is all that the judge reads (and the servers, which still run when it does).
Times are seconds since 1970; ``.jsonl`` is one JSON object a line.

====================  =============================================================================================
``seed.json``         ``seed, ledger, commit, runner, pin, live, shadow, weaviate_url, recipe, corpus, histories, models``
                      (``old`` and ``new``: ``name, api, base_url, api_key``), ``quarantine_s, ended, failure``; addresses
                      are direct, not through proxies. ``shadow`` is the last attempt's; ``dropped`` names those of
                      attempts that were discarded. ``longest_stall_s``: for how long the machine let the nemesis itself
                      wait at worst; above ``quarantine_s`` an assumption was broken by the machine. ``tracebacks``:
                      ``[log, text]`` of each one found in a log
``corpus.jsonl``      ``uuid, properties``: what live was filled with
``app-N.jsonl``       :mod:`vecferry.sandbox.traffic.history`; searches also ``query, collection, space, arm, reason,
                      version, hits [[uuid, score], …], held_ms``; and ``op: "control"``: ``of, invoked, answered, ok, error``
                      of a plain client in the same process, which asks the authority over the same proxies
``phases.jsonl``      ``at, phase, mode, percent, routing_version, authority, event``: one line a routing version (``event`` is
                      ``routing: <reason>``) and one a ledger event; the one that rolled back also ``acknowledged_at``
``stages.jsonl``      ``stage, began, ended, exit, killed``: one line a process; ``exit`` is negative for a signal. Of tasks in
                      Airflow, one line a try, as it tells it: also ``task, try, pid, state``; ``exit`` 0 or 1, ``killed`` null
``injections.jsonl``  ``id, fault, target, phase, began, ended, witnessed, witness``
``spend.json``        ``provider``: the provider's own usage (``/_usage``); ``ledger``: the spend rows
``embeds.jsonl``      ``at, api, model, input_type, key, status, billed, texts``: each request that reached the provider
``after_retire.json``   which objects of the new authority searches found when ``retire`` was done
``before_retire.json``  what :mod:`vecferry.sandbox.checker` counted on both sides just before ``retire``, writes resting
====================  =============================================================================================
"""
