//! Telling other systems: webhooks, mail, syslog, HEC, bulk, Kafka, files; with retries and dead letters.
