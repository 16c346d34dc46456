// MediaPipeline: see docs/architecture.md.
