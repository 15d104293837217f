"""Traces by OpenTelemetry: spans of what the engine tells, sent by OTLP. See decision 83."""
