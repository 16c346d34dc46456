"""The worker that runs an operator's Python project for AvatarStreamer: docs/protocols/worker.md."""
