"""The robot's page as a person uses it: camera, state, LiDAR, commands, driving, and the robot's return."""
import time

import pytest

from conftest import ARTIFACTS
from go2 import Go2, server_for, wait_connected
from server import wait_until


@pytest.fixture
def robot_page(browser):
    """Opens the robot's page of a server; problems of its scripts fail the test."""
    pages, problems = [], []

    def open_page(server, fragment="robot=go2", **viewport):
        page = browser.new_page(viewport={"width": 1280, "height": 900} | viewport)
        page.on("pageerror", lambda error: problems.append(str(error)))
        pages.append(page)
        page.goto(f"{server.http}/robot/#{fragment}")
        return page

    yield open_page
    for page in pages:
        if not page.is_closed():
            page.close()
    assert problems == []


def seen_height(page) -> float:
    return float(page.evaluate("document.getElementById('body').dataset.height ?? 0"))


def test_the_page_shows_the_robot_and_lets_it_stand_up(robot_page):
    with Go2() as robot, server_for(robot) as server:
        page = robot_page(server)
        page.wait_for_selector("#phase-media.done", timeout=30_000)
        page.wait_for_selector("#robot-phases [data-phase=media].done", timeout=20_000)
        page.wait_for_function("document.getElementById('battery').textContent.includes('55')", timeout=10_000)
        page.wait_for_function("document.querySelector('.joints td').textContent.includes('°C')", timeout=10_000)
        page.wait_for_function("Number(document.getElementById('body').dataset.height) > 0.1", timeout=10_000)
        before = seen_height(page)
        assert abs(before - 0.313) < 0.004
        # Most commands move the robot, so they need the driver's seat or take it for the call.
        page.click("[data-command=stand_up]")
        page.wait_for_selector("#said li:has-text('Stand up: done')", timeout=10_000)
        page.wait_for_function("Number(document.getElementById('body').dataset.height) > 0.3255", timeout=10_000)
        assert abs(robot.body["body_height"] - 0.326) < 0.001
        page.click("#lidar-switch")
        page.wait_for_function("document.getElementById('lidar-facts').textContent.includes('points')", timeout=15_000)
        page.click("#take")
        page.wait_for_selector("#take[aria-pressed=true]", timeout=10_000)
        page.wait_for_timeout(1500)  # For people to look at; nothing is asserted on it.
        page.screenshot(path=str(ARTIFACTS / "robot.png"))
        painted = page.evaluate("""() => {
            const canvas = document.getElementById("lidar"), data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let bright = 0;
            for (let index = 0; index < data.length; index += 4) if (data[index] + data[index + 1] + data[index + 2] > 250) bright += 1;
            return bright;
        }""")
        assert painted > 500, "the LiDAR's points are not drawn"
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=str(ARTIFACTS / "robot-phone.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"
        assert robot.state()["peer"]["lidar_on"]
        page.close()
        # Nobody watches any more: the camera and the LiDAR are switched off.
        wait_until(lambda: not robot.state()["peer"]["video"]["on"], 15, "the camera is off")
        wait_until(lambda: not robot.state()["peer"]["lidar_on"], 15, "the LiDAR is off")


def test_the_robot_stops_when_its_drivers_page_is_closed(robot_page):
    with Go2(move_watchdog_ms=0) as robot, server_for(robot) as server:
        page = robot_page(server)
        page.wait_for_selector("#phase-media.done", timeout=30_000)
        page.click("[data-command=stand_up]")
        page.wait_for_selector("#said li:has-text('Stand up: done')", timeout=10_000)
        page.click("#take")
        page.wait_for_selector("#take[aria-pressed=true]", timeout=10_000)
        page.keyboard.down("w")
        robot.wait_for_event("motion", what="move")
        wait_until(lambda: robot.body["position"][0] > 0.05, 10, "the robot walks")
        last = robot.last_index()
        closed = time.monotonic()
        page.close()
        stop = robot.wait_for_event("motion", what="stop", after=last)
        print(f"StopMove {1000 * (stop['monotonic'] - closed):.0f} ms after the page was closed")
        place = robot.body["position"]
        wait_until(lambda: robot.state()["time"] > stop["time"] + 0.5, 5, "half a second")
        assert robot.body["position"] == place, "the robot went on"
        assert robot.body["motion"] == [0, 0, 0]


def test_a_key_let_go_stops_the_robot(robot_page):
    with Go2(move_watchdog_ms=0) as robot, server_for(robot) as server:
        page = robot_page(server)
        page.wait_for_selector("#phase-media.done", timeout=30_000)
        page.click("[data-command=stand_up]")
        page.wait_for_selector("#said li:has-text('Stand up: done')", timeout=10_000)
        page.click("#take")
        page.wait_for_selector("#take[aria-pressed=true]", timeout=10_000)
        for key in "qd":
            after = robot.last_index()
            page.keyboard.down(key)
            robot.wait_for_event("motion", what="move", after=after)
            page.keyboard.up(key)
            robot.wait_for_event("motion", what="stop", after=after)
        page.click("#take")
        page.wait_for_selector("#take[aria-pressed=false]", timeout=10_000)


def test_viewers_keep_their_connection_while_the_robot_restarts(robot_page):
    with Go2() as robot, server_for(robot) as server:
        page = robot_page(server)
        page.wait_for_selector("#phase-media.done", timeout=30_000)
        page.evaluate("window.firstPeer = window.session.peer")
        robot.act("reboot", seconds=2)
        page.wait_for_function("document.getElementById('state').textContent !== 'connected'", timeout=60_000)
        page.wait_for_function("!document.getElementById('report').hidden", timeout=30_000)
        page.screenshot(path=str(ARTIFACTS / "robot-away.png"))
        returned = robot.wait_for_event("up", after=robot.events("reboot")[-1]["index"])
        page.wait_for_function("document.getElementById('state').textContent === 'connected'", timeout=90_000)
        page.evaluate("new Promise(resolve => document.getElementById('video').requestVideoFrameCallback(resolve))")
        print(f"a picture again {time.time() - returned['time']:.1f} s after the robot's ports were open again")
        assert page.evaluate("window.firstPeer === window.session.peer"), "the page began anew"
        assert page.evaluate("window.firstPeer.connectionState") == "connected"


def test_the_page_says_why_the_robot_is_not_there(robot_page):
    with Go2("http.offer_reject") as robot, server_for(robot) as server:
        page = robot_page(server)
        page.wait_for_selector("#robot-phases [data-phase=signaling].failed", timeout=30_000)
        page.wait_for_function("!document.getElementById('report').hidden", timeout=10_000)
        assert "app" in page.inner_text("#report"), "the likeliest cause is the phone app"
        page.screenshot(path=str(ARTIFACTS / "robot-rejected.png"))
        robot.clear_faults()
        wait_connected(server, timeout=60)
        page.wait_for_selector("#phase-media.done", timeout=30_000)
        page.wait_for_function("document.getElementById('report').hidden", timeout=10_000)
