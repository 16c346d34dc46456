"""An interruption ends the sound at once, and says what was heard (acceptance 2)."""
from server import Server
from talk_figures import interruptions
from talker import run


def test_interrupted_twelve_times_the_position_is_what_was_heard():
    with Server() as server:
        seen = run(interruptions(server, 12))
        for entry in seen:
            print({name: round(value) for name, value in entry.items()})
        assert all(entry["interrupted"] for entry in seen)
        # The tone sounds from the first to the last sample; a frame of Opus look-ahead blurs both ends.
        assert all(abs(entry["told_ms"] - entry["heard_ms"]) <= 40 for entry in seen)
