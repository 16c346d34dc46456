"""The viewer page as a person uses it (acceptance 1)."""
import time

from conftest import ARTIFACTS
from server import Coturn, Server


def test_the_page_shows_the_avatar_and_speaks(browser):
    with Server() as server:
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.http + "/")
        page.wait_for_selector("#phase-media.done", timeout=20_000)
        page.fill("#text", "Good morning! Who are you?")
        page.click("button[type=submit]")
        page.wait_for_selector("#activity[data-state=speaking]", timeout=20_000)
        page.wait_for_selector("#facts dd", timeout=10_000)
        page.wait_for_timeout(700)  # The picture of an open mouth is for people to look at; nothing is asserted on it.
        page.screenshot(path=str(ARTIFACTS / "page.png"))
        assert "relay" in page.inner_text("#facts")
        assert page.evaluate("document.getElementById('video').videoWidth") == 512
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=str(ARTIFACTS / "page-phone.png"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"
        assert problems == []
        page.close()


def test_the_page_comes_back_after_the_server_was_killed(browser):
    with Server() as server:
        page = browser.new_page()
        page.goto(server.http + "/")
        page.wait_for_selector("#phase-media.done", timeout=20_000)
        server.kill()
        page.wait_for_function("!document.getElementById('notice').hidden", timeout=30_000)
        assert page.inner_text("#notice")
        server.start()
        page.wait_for_selector("#phase-media.done", timeout=40_000)
        page.wait_for_function("document.getElementById('notice').hidden", timeout=10_000)
        page.close()


def test_the_page_comes_back_after_coturn_was_killed(browser):
    with Coturn() as coturn, Server(**coturn.settings, connectivity="relay") as server:
        page = browser.new_page()
        page.goto(server.http + "/")
        page.wait_for_selector("#phase-media.done", timeout=20_000)
        coturn.kill()
        coturn.start()
        restarted = time.monotonic()
        # The page notices by itself, and a picture comes that is newer than that.
        page.wait_for_function("!document.getElementById('notice').hidden", timeout=30_000)
        page.wait_for_function("document.getElementById('notice').hidden", timeout=40_000)
        page.evaluate("new Promise(resolve => document.getElementById('video').requestVideoFrameCallback(resolve))")
        print(f"back {time.monotonic() - restarted:.1f} s after coturn was there again (goal: 10 s)")
        page.close()
