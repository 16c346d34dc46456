"""The default project: drives a Go2 as `sport_client`, through the server's own robot; a dry run where none is configured."""
from __future__ import annotations

import os

from sport_client import DryRunSportClient, SportClient


def _make_client() -> SportClient:
    url = os.environ.get("AVATAR_STREAMER_ROBOT_URL")
    if not url:
        return DryRunSportClient()
    from go2_sport_client import Go2SportClient

    return Go2SportClient(url, os.environ.get("AVATAR_STREAMER_ROBOT_TOKEN"))


sport_client = _make_client()


def init() -> None:
    """Says what is driven."""
    print(f"default project: {sport_client.describe()}")
