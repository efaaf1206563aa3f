-- The first version of the tables. `{serial}` is put in by the dialect. Times are microseconds since 1970, truths 0 or 1,
-- lists and matchers JSON.

CREATE TABLE alert (
    id TEXT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    detected BIGINT NOT NULL,
    rule_id TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    vendor TEXT NOT NULL,
    language TEXT NOT NULL,
    rule_version TEXT NOT NULL,
    rule_path TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity BIGINT NOT NULL,
    risk_score DOUBLE PRECISION NOT NULL,
    message TEXT NOT NULL,
    tactics TEXT NOT NULL,
    techniques TEXT NOT NULL,
    stories TEXT NOT NULL,
    entities TEXT NOT NULL,
    event_count BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    suppression_end BIGINT,
    group_key TEXT NOT NULL,
    searchable TEXT NOT NULL,
    silenced_by TEXT,
    status TEXT NOT NULL,
    assignee TEXT NOT NULL,
    disposition TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
CREATE INDEX alert_time ON alert (time, id);
CREATE INDEX alert_detected ON alert (detected, id);
CREATE INDEX alert_severity ON alert (severity, id);
CREATE INDEX alert_risk_score ON alert (risk_score, id);
CREATE INDEX alert_rule ON alert (rule_id, time);
CREATE INDEX alert_group ON alert (group_key, time);
CREATE INDEX alert_suppression ON alert (suppression_end) WHERE suppression_end IS NOT NULL;

-- Apart from the alert, so that lists do not read it.
CREATE TABLE alert_document (
    alert TEXT NOT NULL PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    document TEXT NOT NULL,
    cut BIGINT NOT NULL
);

-- What an alert can be found by of which it has several: tactic, technique, story, entity, tag.
CREATE TABLE alert_term (
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (alert, name, folded)
);
CREATE INDEX alert_term_value ON alert_term (name, folded);

CREATE TABLE alert_change (
    number {serial},
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    time BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX alert_change_alert ON alert_change (alert, number);

CREATE TABLE incident (
    alert TEXT NOT NULL PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    object TEXT NOT NULL,
    normalized TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    position BIGINT NOT NULL
);
CREATE INDEX incident_object ON incident (normalized, object_kind);

CREATE TABLE incident_event (
    incident TEXT NOT NULL REFERENCES incident (alert) ON DELETE CASCADE,
    risk_event TEXT NOT NULL,
    PRIMARY KEY (incident, risk_event)
);

CREATE TABLE risk_event (
    id TEXT NOT NULL PRIMARY KEY,
    alert TEXT NOT NULL,
    time BIGINT NOT NULL,
    object TEXT NOT NULL,
    normalized TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    field TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    calculated DOUBLE PRECISION NOT NULL,
    message TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    tactics TEXT NOT NULL,
    techniques TEXT NOT NULL
);
CREATE INDEX risk_event_object ON risk_event (normalized, object_kind, time, id);
CREATE INDEX risk_event_time ON risk_event (time, normalized, object_kind);

-- `position` is the place in the journal of the commit that wrote a row: an older commit, repeated, changes nothing.
CREATE TABLE rule_run (
    rule_id TEXT NOT NULL,
    time BIGINT NOT NULL,
    rule_name TEXT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    created BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    known BIGINT NOT NULL,
    capped BIGINT NOT NULL,
    late BIGINT NOT NULL,
    repeats BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (rule_id, time)
);
CREATE INDEX rule_run_time ON rule_run (time, rule_id);

CREATE TABLE gap (
    rule_id TEXT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    reason TEXT NOT NULL,
    filled_at BIGINT,
    position BIGINT NOT NULL,
    PRIMARY KEY (rule_id, first)
);

CREATE TABLE quarantine (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    times BIGINT NOT NULL,
    released_at BIGINT,
    released_by TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE TABLE rule_health (
    rule_id TEXT NOT NULL PRIMARY KEY,
    rule_name TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    last_run BIGINT,
    last_success BIGINT,
    last_micros BIGINT,
    failures BIGINT NOT NULL,
    position BIGINT NOT NULL
);

CREATE TABLE checkpoint (
    consumer TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    time BIGINT NOT NULL
);

CREATE TABLE silence (
    id TEXT NOT NULL PRIMARY KEY,
    author TEXT NOT NULL,
    comment TEXT NOT NULL,
    created BIGINT NOT NULL,
    starts BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    matchers TEXT NOT NULL
);
CREATE INDEX silence_ends ON silence (ends);

CREATE TABLE maintenance (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    author TEXT NOT NULL,
    comment TEXT NOT NULL,
    created BIGINT NOT NULL,
    matchers TEXT NOT NULL,
    schedule TEXT NOT NULL
);

CREATE TABLE outbox (
    id {serial},
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    target TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    error TEXT NOT NULL,
    UNIQUE (alert, target)
);
CREATE INDEX outbox_due ON outbox (target, state, next_attempt, id);
CREATE INDEX outbox_state ON outbox (state, changed);

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT,
    last_used BIGINT
);

CREATE TABLE audit (
    number BIGINT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_time ON audit (time);

-- Where the chain ends, and with which row's hash it begins since old rows were deleted.
CREATE TABLE audit_chain (
    id BIGINT NOT NULL PRIMARY KEY,
    last_number BIGINT NOT NULL,
    last_hash TEXT NOT NULL,
    root_number BIGINT NOT NULL,
    root_hash TEXT NOT NULL
);
INSERT INTO audit_chain (id, last_number, last_hash, root_number, root_hash) VALUES (1, 0, '', 0, '');

CREATE TABLE rule_state (
    rule_id TEXT NOT NULL PRIMARY KEY,
    enabled BIGINT NOT NULL,
    who TEXT NOT NULL,
    time BIGINT NOT NULL,
    why TEXT NOT NULL,
    notes TEXT NOT NULL
);

CREATE TABLE hunt (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    language TEXT NOT NULL,
    text TEXT NOT NULL,
    description TEXT NOT NULL,
    author TEXT NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
