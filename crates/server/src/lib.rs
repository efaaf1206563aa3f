//! The live engine: intake, detection on time, alerts, API.
