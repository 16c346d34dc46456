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
        self.page.wait_for_function(
            "index => window.viewers[index].seen.times.firstFrame !== undefined", arg=index, timeout=timeout * 1000)
        # Media may come before the browser has nominated the pair that it comes on.
        self.page.wait_for_function(
            "async index => (await viewerReport(index)).pair !== undefined", arg=index, timeout=timeout * 1000)

    def wait_for_frames(self, index: int, count: int, timeout: float = 20):
        """Until `count` more frames are decoded than now."""
        self.page.evaluate("""async ([index, count]) => {
            window.viewers[index].target = ((await viewerReport(index)).video?.framesDecoded ?? 0) + count; }""", [index, count])
        self.page.wait_for_function(
            "async index => ((await viewerReport(index)).video?.framesDecoded ?? 0) >= window.viewers[index].target",
            arg=index, timeout=timeout * 1000, polling=100)

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
