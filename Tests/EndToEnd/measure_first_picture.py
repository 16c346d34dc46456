"""How long a fresh page waits for its first decoded picture: measure_first_picture.py [--loads 20] [--connectivity relay].

Relay-only in Chromium on loopback, the viewer page's own code; from the start of the page's script to the first frame that the video
element presents. Prints one line; asserts nothing but that there was a picture.
"""
from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

from server import Server

# The test viewer is the page's only script: its clock starts where a front end's would.
PAGE = """
async http => {
  const start = performance.now();
  const index = await connectViewer({ http, policy: "relay" });
  await window.viewers[index].firstFrame;
  const picture = performance.now() - start;
  const report = await viewerReport(index);
  return { picture, first: report.times.firstFrame, local: report.pair?.local.type, states: report.states };
}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=20)
    parser.add_argument("--connectivity", default="relay", choices=["relay", "all"])
    options = parser.parse_args()
    arguments = ["--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    times = []
    with Server(connectivity=options.connectivity) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        # The browser's own first peer connection is slower; it is not the server's to answer for.
        for number in range(options.loads + 1):
            context = chromium.new_context()
            page = context.new_page()
            page.goto(server.http + "/health")
            page.add_script_tag(path=str(Path(__file__).parent / "viewer.js"))
            seen = page.evaluate(PAGE, server.http)
            assert seen["local"] in (None, "relay"), seen
            if number:
                times.append(seen["picture"])
            context.close()
        chromium.close()
    times.sort()
    print(f"first picture: median {statistics.median(times):.0f} ms, {times[0]:.0f} to {times[-1]:.0f} ms in {len(times)} page loads"
          " (relay-only, loopback; goal: 350 ms)")


if __name__ == "__main__":
    main()
