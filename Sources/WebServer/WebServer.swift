// WebServer: see docs/architecture.md.
