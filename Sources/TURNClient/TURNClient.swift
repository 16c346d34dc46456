// TURNClient: see docs/architecture.md.
