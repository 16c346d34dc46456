"""MuseTalk 1.5 as an engine of AvatarStreamer: faces that speak, drawn by a network on a GPU.

`docs/engines/musetalk.md` says how to install, check and run it. The parts, from the files to the server:

```
layout, boxes, weights, avatar    what lies on disk, read with suspicion
speech, network                   sound ─► features ─► faces
batching, engine                  which pictures when, for all sessions at once
checks, benchmark, random_weights for operators and tests
```
"""
