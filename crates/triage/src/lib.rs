//! What was found and what people made of it: alerts, risk, incidents, silences, ledger, keys; in SQL.
