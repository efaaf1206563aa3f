//! Alert documents (native, Elastic, Splunk, OCSF), tables, CSV, HTML.
