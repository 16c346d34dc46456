"""The operator's page of the robot control service as a person uses it: upload, call, interrupt, log, pushes, history, tokens, a server that goes."""
import json
import os

import pytest

from conftest import ARTIFACTS
from control import TOKEN, ControlServer, archive, client

PROJECT = '''
import threading, time
from typing import Literal

class SportClient:
    """The dog's sport mode, as a dry run."""

    def StandUp(self, speed: float = 1.0):
        """Stands up.

        The speed is a share of the fastest."""
        return {"stood": True, "speed": speed}

    def Say(self, text: str, loud: bool = False, voice: Literal["low", "high"] = "low"):
        """Speaks through the loudspeaker."""
        print("it says: " + text)
        return [text, loud, voice]

    def Route(self, points: list, name=None, **options):
        """Walks from point to point."""
        return {"points": points, "name": name, "options": options}

    def Wait(self, seconds: int):
        """Waits; can be interrupted."""
        for _ in range(seconds * 20):
            time.sleep(0.05)
        return "waited"

    def Fail(self):
        raise ValueError("<b>kaboom</b>")

    def Report(self, count: int = 3, event: str = "task_completed"):
        """Pushes."""
        for number in range(count):
            push_message(event, {"number": number, "text": "<img src=x onerror=alert(1)>"})
        return count

sport_client = SportClient()

def battery():
    """Percent."""
    return 87
'''
SECOND = '''
class Arm:
    def Wave(self, times: int = 2):
        return times

arm = Arm()
'''
BROKEN = "import nothing_of_that_name\n"
VIEWER_TOKEN = "token-of-the-viewers-0123"


@pytest.fixture
def open_page(browser):
    """Opens the page of a server; problems of its scripts fail the test."""
    contexts, problems = [], []

    def open_it(server, fragment="", **viewport):
        context = browser.new_context(viewport={"width": 1360, "height": 900} | viewport)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"data ran as a script: {dialog.message}"))
        page.goto(f"{server.url}/console/{fragment}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


def upload(page, files, name="dog.zip"):
    page.set_input_files("#file", files=[{"name": name, "mimeType": "application/zip", "buffer": archive(files)}])


def open_method(page, name):
    page.click(f'[data-method="{name}"] summary')
    return page.locator(f'[data-method="{name}"]')


def argument(method, name):
    return method.locator(".field", has=method.page.locator(f'label code:text-is("{name}")')).locator("input, select, textarea")


def submit(method):
    method.locator("button[type=submit]").click()


def answer(page, timeout=30_000):
    """The newest call's answer as text, once it is there."""
    page.wait_for_selector("#calls > li:first-child:not(.running) pre", timeout=timeout)
    return page.inner_text("#calls > li:first-child pre")


def test_a_first_project_is_uploaded_and_called(open_page):
    with ControlServer() as server:
        page = open_page(server)
        page.wait_for_selector("#state:has-text('no project')", timeout=30_000)
        assert "drop it here" in page.inner_text("#project-empty").lower()
        assert "upload one" in page.inner_text("#methods-empty")
        page.screenshot(path=str(ARTIFACTS / "control-empty.png"))
        upload(page, {"main.py": PROJECT})
        page.wait_for_selector("#upload-said.good:has-text('dog.zip runs')", timeout=60_000)
        page.wait_for_selector("#state:has-text('ready')", timeout=10_000)
        page.wait_for_selector('[data-method="sport_client.StandUp"]')
        assert "Stands up." in page.inner_text('[data-method="sport_client.StandUp"] summary')

        stand = open_method(page, "sport_client.StandUp")
        submit(stand)
        assert json.loads(answer(page)) == {"stood": True, "speed": 1.0}
        argument(stand, "speed").fill("0.5")
        submit(stand)
        page.wait_for_selector("#calls > li:nth-child(2)")
        assert json.loads(answer(page)) == {"stood": True, "speed": 0.5}
        assert " ms" in page.inner_text("#calls > li:first-child .outcome")

        say = open_method(page, "sport_client.Say")
        argument(say, "text").fill('"hello" <i>there</i>')
        argument(say, "loud").select_option(label="true")
        argument(say, "voice").select_option(label="high")
        submit(say)
        page.wait_for_selector("#calls > li:nth-child(3)")
        assert json.loads(answer(page)) == ['"hello" <i>there</i>', True, "high"]
        page.wait_for_selector("#log li:has-text('it says: \"hello\" <i>there</i>')", timeout=10_000)

        route = open_method(page, "sport_client.Route")
        argument(route, "points").fill("[[1, 2]")
        submit(route)
        assert "no JSON" in route.locator(".field .problem:visible").inner_text()
        assert page.locator("#calls > li").count() == 3, "nothing wrong is sent"
        argument(route, "points").fill("[[1, 2]]")
        argument(route, "name").fill("garden")
        argument(route, "**options").fill('{"gait": "trot"}')
        submit(route)
        page.wait_for_selector("#calls > li:nth-child(4)")
        assert json.loads(answer(page)) == {"points": [[1, 2]], "name": "garden", "options": {"gait": "trot"}}
        route.locator("button", has_text="As JSON").click()
        raw = route.locator("textarea:visible")
        assert json.loads(raw.input_value()) == {"points": [[1, 2]], "name": "garden", "gait": "trot"}
        raw.fill('{"points": []}')
        submit(route)
        page.wait_for_selector("#calls > li:nth-child(5)")
        assert json.loads(answer(page)) == {"points": [], "name": None, "options": {}}

        submit(open_method(page, "main.battery"))
        page.wait_for_selector("#calls > li:nth-child(6)")
        assert answer(page) == "87"
        page.screenshot(path=str(ARTIFACTS / "control.png"), full_page=True)


def test_a_call_that_runs_is_interrupted_and_one_that_fails_says_why(open_page):
    with ControlServer().with_project({"main.py": PROJECT}) as server:
        page = open_page(server)
        wait = open_method(page, "sport_client.Wait")
        submit(wait)
        assert "required" in wait.locator(".problem:visible").inner_text().lower()
        argument(wait, "seconds").fill("60")
        submit(wait)
        page.wait_for_selector("#calls > li.running")
        page.wait_for_selector("#interrupt-all:visible", timeout=10_000)
        wait.locator("button", has_text="Interrupt").click()
        page.wait_for_selector("#calls > li.bad .outcome:has-text('interrupted')", timeout=15_000)
        page.wait_for_selector("#interrupt-all", state="hidden", timeout=10_000)

        submit(open_method(page, "sport_client.Fail"))
        page.wait_for_selector("#calls > li:nth-child(2)")
        assert answer(page) == "<b>kaboom</b>"
        page.click("#calls > li:first-child summary")
        assert "ValueError" in page.inner_text("#calls > li:first-child details pre")
        page.screenshot(path=str(ARTIFACTS / "control-failed-call.png"))


def test_a_bad_upload_is_refused_and_the_running_project_goes_on(open_page):
    with ControlServer().with_project({"main.py": PROJECT}) as server:
        page = open_page(server)
        page.wait_for_selector('[data-method="main.battery"]', timeout=30_000)
        page.set_input_files("#file", files=[{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"}])
        assert "no zip" in page.inner_text("#upload-said.bad")
        upload(page, {"main.py": BROKEN}, "broken.zip")
        page.wait_for_selector("#upload-said.bad:has-text('nothing_of_that_name')", timeout=60_000)
        assert "Failed to update project" in page.inner_text("#upload-said")
        page.screenshot(path=str(ARTIFACTS / "control-refused.png"))
        submit(open_method(page, "main.battery"))
        assert answer(page) == "87"


def test_a_large_zip_is_dropped_and_its_way_is_shown(open_page):
    """As bytes, not as base64, and with every stage seen."""
    with ControlServer() as server:
        page = open_page(server)
        page.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        path = server.storage.parent / "large.zip"
        path.write_bytes(archive({"main.py": PROJECT, "map.bin": os.urandom(24_000_000)}))
        page.evaluate("""() => {
            window.seen = new Set();
            window.amounts = new Set();
            new MutationObserver(() => {
                for (const item of document.querySelectorAll("#stages .doing")) seen.add(item.dataset.stage);
                if (document.querySelector("#stages .doing")?.dataset.stage === "receiving") amounts.add(document.getElementById("bar").value);
            })
                .observe(document.getElementById("progress"), { subtree: true, childList: true, attributes: true });
            window.sent = { text: 0, bytes: 0 };
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) {
                if (typeof data === "string") sent.text += data.length; else sent.bytes += data.size;
                return send.call(this, data);
            };
        }""")
        # A drop as the browser makes one, with the file that the chooser would have given.
        page.evaluate("""() => {
            const input = Object.assign(document.createElement("input"), { type: "file", id: "carried" });
            document.body.append(input);
        }""")
        page.set_input_files("#carried", str(path))
        page.evaluate("""() => {
            const carried = new DataTransfer();
            carried.items.add(document.getElementById("carried").files[0]);
            for (const type of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried }));
        }""")
        page.wait_for_selector("#upload-said.good", timeout=120_000)
        assert page.evaluate("[...seen]").index("receiving") == 0
        assert "loading" in page.evaluate("[...seen]")
        assert page.evaluate("amounts.size") > 2, "the bar did not move while the zip was sent"
        sent = page.evaluate("sent")
        assert sent["bytes"] == path.stat().st_size and sent["text"] < 10_000
        assert page.is_hidden("#progress")


def test_log_and_pushes_are_followed_filtered_and_paused(open_page):
    with ControlServer().with_project({"main.py": PROJECT}) as server:
        page = open_page(server)
        report = open_method(page, "sport_client.Report")
        argument(report, "count").fill("700")
        submit(report)
        page.wait_for_selector("#counters button:has-text('task_completed') b:text-is('700')", timeout=20_000)
        page.wait_for_selector("#pushes li:has-text('\"number\":699')", timeout=10_000)
        assert page.locator("#pushes > li").count() <= 200, "the page is bounded"
        page.click("#pushes > li:last-child summary")
        assert "<img src=x" in page.inner_text("#pushes > li:last-child pre")
        page.click("#pushes-pause")
        argument(report, "count").fill("2")
        argument(report, "event").fill("task_error")
        submit(report)
        page.wait_for_selector("#counters button:has-text('task_error') b:text-is('2')", timeout=10_000)
        page.wait_for_selector("#pushes-pause:has-text('2 new')", timeout=10_000)
        assert page.locator("#pushes > li:has-text('task_error')").count() == 0
        page.click("#pushes-pause")
        page.wait_for_selector("#pushes > li:has-text('task_error')")
        page.click("#counters button:has-text('task_error')")
        assert page.locator("#pushes > li").count() == 2
        page.click("#pushes-clear")
        page.wait_for_selector("#pushes-empty:visible")

        say = open_method(page, "sport_client.Say")
        for word in ["first", "second", "third"]:
            argument(say, "text").fill(word)
            submit(say)
            page.wait_for_selector(f"#log li:has-text('it says: {word}')", timeout=10_000)
        page.fill("#log-filter", "SECOND")
        assert page.locator("#log > li").count() == 1
        page.fill("#log-filter", "no such line")
        assert "filter" in page.inner_text("#log-empty")
        page.fill("#log-filter", "")
        page.select_option("#log-source", "service")
        assert page.locator("#log > li[data-source=project]").count() == 0
        page.select_option("#log-source", "")
        page.reload()
        page.wait_for_selector("#log li:has-text('it says: third')", timeout=10_000)


def test_an_older_project_is_brought_back_and_the_worker_restarted(open_page):
    with ControlServer() as server:
        page = open_page(server)
        page.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        upload(page, {"main.py": PROJECT})
        page.wait_for_selector('[data-method="main.battery"]', timeout=60_000)
        upload(page, {"main.py": SECOND}, "arm.zip")
        page.wait_for_selector('[data-method="arm.Wave"]', timeout=60_000)
        assert page.locator('[data-method="main.battery"]').count() == 0
        page.click("summary:has-text('History')")
        page.wait_for_selector("#history li .current:has-text('runs')", timeout=10_000)
        page.screenshot(path=str(ARTIFACTS / "control-history.png"))
        page.locator("#history li button").last.click()
        page.click("#confirm button:has-text('Leave it')")
        page.locator("#history li button").last.click()
        page.click("#confirm-yes")
        page.wait_for_selector('[data-method="main.battery"]', timeout=60_000)
        page.wait_for_selector("#order-said.good", timeout=10_000)
        page.click("#restart")
        page.click("#confirm-yes")
        page.wait_for_selector("#order-said.good:has-text('started')", timeout=60_000)
        submit(open_method(page, "main.battery"))
        assert answer(page) == "87"


LEAVING = """
import os

class Dog:
    def Leave(self):
        os._exit(3)
    def Bark(self):
        return "wuff"

dog = Dog()
"""


def test_a_project_that_does_not_stay_up_is_reported_and_started_by_hand(open_page):
    with ControlServer(restarts=0).with_project({"main.py": LEAVING}) as server:
        page = open_page(server)
        submit(open_method(page, "dog.Leave"))
        page.wait_for_selector("#calls > li.bad", timeout=30_000)
        page.wait_for_selector("#state.bad:has-text('failed')", timeout=30_000)
        page.wait_for_selector("#failure:visible code")
        assert len(page.inner_text("#failure-message")) > 20, "no reason is given"
        page.screenshot(path=str(ARTIFACTS / "control-down.png"))
        page.click("#restart")
        page.click("#confirm-yes")
        page.wait_for_selector("#state:has-text('ready')", timeout=60_000)
        page.wait_for_selector("#failure", state="hidden")
        submit(open_method(page, "dog.Bark"))
        page.wait_for_selector("#calls > li:nth-child(2)")
        assert answer(page) == '"wuff"'


def test_the_page_tells_whether_a_client_is_there_and_takes_no_place(open_page):
    with ControlServer().with_project({"main.py": PROJECT}) as server:
        page = open_page(server)
        page.wait_for_selector("#client:has-text('no client')", timeout=30_000)
        with client(server):
            page.wait_for_selector("#client:has-text('client connected')", timeout=10_000)
            submit(open_method(page, "main.battery"))
            assert answer(page) == "87"
        page.wait_for_selector("#client:has-text('no client')", timeout=10_000)


def test_a_token_is_asked_for_and_kept_for_the_tab(open_page):
    with ControlServer(token=TOKEN) as server:
        page = open_page(server)
        page.wait_for_selector("#token-dialog[open]:has-text('wants an access token')", timeout=30_000)
        page.screenshot(path=str(ARTIFACTS / "control-token.png"))
        page.fill("#token", "a-token-of-somebody-else")
        page.keyboard.press("Enter")
        page.wait_for_selector("#token-dialog[open]:has-text('does not know')", timeout=30_000)
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        page.reload()
        page.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        assert page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
        other = open_page(server, f"#token={TOKEN}")
        other.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        assert TOKEN not in other.url


def test_viewers_see_everything_and_may_do_nothing(open_page):
    with ControlServer(token=TOKEN, viewer_token=VIEWER_TOKEN).with_project({"main.py": PROJECT}) as server:
        page = open_page(server, f"#token={VIEWER_TOKEN}")
        page.wait_for_selector("#watching:visible", timeout=30_000)
        method = open_method(page, "sport_client.Report")
        assert method.locator("button[type=submit]").is_disabled()
        assert page.is_disabled("#choose") and page.is_disabled("#restart")
        assert "may listen" in page.locator("fieldset.operator").first.get_attribute("title")
        operator = open_page(server, f"#token={TOKEN}")
        submit(open_method(operator, "sport_client.Report"))
        page.wait_for_selector("#counters button:has-text('task_completed') b:text-is('3')", timeout=20_000)
        page.screenshot(path=str(ARTIFACTS / "control-viewer.png"))


def test_the_page_returns_after_the_server_was_away(open_page):
    server = ControlServer().with_project({"main.py": PROJECT})
    with server:
        page = open_page(server)
        argument(open_method(page, "sport_client.StandUp"), "speed").fill("0.25")
        server.stop()
        page.wait_for_selector("#away:visible:has-text('Trying again in')", timeout=30_000)
        page.wait_for_selector("#link:has-text('server away')")
        assert page.is_disabled("#choose")
        page.screenshot(path=str(ARTIFACTS / "control-away.png"))
        server.start()
        page.wait_for_selector("#link:has-text('connected')", timeout=30_000)
        assert page.is_hidden("#away")
        page.wait_for_selector("#state:has-text('ready')", timeout=30_000)
        method = page.locator('[data-method="sport_client.StandUp"]')
        assert argument(method, "speed").input_value() == "0.25", "what was typed is lost"
        submit(method)
        assert json.loads(answer(page)) == {"stood": True, "speed": 0.25}


def test_the_page_fits_a_phone_and_the_keyboard_reaches_everything(open_page):
    with ControlServer().with_project({"main.py": PROJECT}) as server:
        page = open_page(server, width=390, height=844)
        stand = open_method(page, "sport_client.StandUp")
        submit(stand)
        answer(page)
        submit(open_method(page, "sport_client.Report"))
        page.wait_for_selector("#counters button", timeout=10_000)
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(ARTIFACTS / f"control-phone-{scheme}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"
        page.focus("#restart")
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement?.id || document.activeElement?.tagName"))
        assert {"choose", "log-filter", "log-pause", "pushes-pause", "SUMMARY", "log"} <= reached
        page.focus('[data-method="main.battery"] summary')
        page.keyboard.press("Enter")
        page.wait_for_selector('[data-method="main.battery"] button[type=submit]')
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#calls > li:nth-child(3)")
        assert answer(page) == "87"
