// MediaLoop: see docs/architecture.md.
