// TURNServer: see docs/architecture.md.
