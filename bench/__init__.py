"""Measurements of the gateway, on loopback and bounded in count; see docs/performance.md."""
