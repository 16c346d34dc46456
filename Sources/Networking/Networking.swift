// Networking: see docs/architecture.md.
