"""Fixtures: a headless Chromium, and pages that hold test viewers."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"


@pytest.fixture(scope="session")
def browser():
    ARTIFACTS.mkdir(exist_ok=True)
    arguments = ["--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield chromium
        chromium.close()


class Viewers:
    """Test viewers in one page of the browser."""

    def __init__(self, page, server):
        self.page, self.server = page, server

    def connect(self, **options) -> int:
        index = self.page.evaluate("options => connectViewer(options)", {"http": self.server.http, **options})
        return index

    def wait_for_picture(self, index: int, timeout: float = 20):
        self.wait_for(f"viewer {index} has no picture", "havePicture(index)", index, timeout)

    def wait_for_frames(self, index: int, count: int, timeout: float = 20):
        """Until `count` more pictures are shown than now."""
        self.wait_for(f"viewer {index} does not go on", f"presentFrames(index, {count})", index, timeout)

    def wait_for(self, problem: str, promise: str, index: int, timeout: float):
        self.page.evaluate(
            f"""([index, problem, timeout]) => Promise.race([{promise},
                new Promise((_, reject) => setTimeout(() => reject(new Error(problem)), timeout * 1000))])""",
            [index, problem, timeout])

    def report(self, index: int) -> dict:
        return self.page.evaluate("index => viewerReport(index)", index)


@pytest.fixture
def viewers(browser):
    """Opens a page of a server and returns its viewers."""
    contexts = []

    def open_page(server) -> Viewers:
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        page.goto(server.http + "/health")
        page.add_script_tag(path=str(HERE / "viewer.js"))
        return Viewers(page, server)

    yield open_page
    for context in contexts:
        context.close()
