// PeerConnection: see docs/architecture.md.
