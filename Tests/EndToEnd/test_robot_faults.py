"""Faults in each phase of a robot's connection: the server names the phase and the cause, and goes on when the fault is gone."""
import contextlib

import pytest

from conftest import ARTIFACTS
from go2 import Go2, robot_of, server_for
from server import wait_until

# Fault of the simulator: the phase that is said, and the codes of which one must be its cause's.
CASES = {
    "http.refuse": ("signaling", {"refused"}),
    "http.notify_hang": ("signaling", {"timeout"}),
    "http.notify_empty": ("signaling", {"no_answer"}),
    "http.notify_garbage": ("signaling", {"malformed", "not_a_robot"}),
    "http.notify_429": ("signaling", {"too_soon"}),
    "http.notify_500": ("signaling", {"no_answer", "malformed", "not_a_robot"}),
    "http.notify_other_key": ("signaling", {"key_rejected"}),
    "http.offer_hang": ("signaling", {"timeout"}),
    "http.offer_empty": ("signaling", {"no_answer"}),
    "http.offer_garbage": ("signaling", {"malformed"}),
    "http.offer_429": ("signaling", {"too_soon"}),
    "http.offer_reject": ("signaling", {"busy"}),
    "http.offer_other_key": ("signaling", {"malformed"}),
    "http.offer_no_sdp": ("signaling", {"malformed"}),
    "ice.unreachable": ("ice", {"unreachable"}),
    "ice.silent": ("ice", {"unreachable"}),
    "ice.wrong_credentials": ("ice", {"wrong_credentials", "one_way"}),
    "dtls.silent": ("dtls", {"silent"}),
    "dtls.wrong_fingerprint": ("dtls", {"fingerprint_mismatch"}),
    "sctp.silent": ("sctp", {"init_unanswered"}),
    "sctp.abort": ("sctp", {"aborted"}),
    "validation.no_challenge": ("validation", {"no_challenge"}),
    "validation.never_ok": ("validation", {"not_accepted"}),
    "validation.needed": ("validation", {"not_accepted"}),
}
GROUPS = [list(CASES)[start::3] for start in range(3)]


@pytest.mark.parametrize("faults", GROUPS, ids=lambda group: group[0])
def test_the_phase_and_the_cause_of_a_fault_are_named(faults):
    with contextlib.ExitStack() as stack:
        robots = [stack.enter_context(Go2(fault, video="none")) for fault in faults]
        server = stack.enter_context(server_for(*robots))
        names = ["go2" if index == 0 else f"go2-{index + 1}" for index in range(len(robots))]
        failures = {}

        def everything_failed():
            for fault, name in zip(faults, names):
                failure = robot_of(server, name)["failure"]
                if failure:
                    failures.setdefault(fault, failure)
            return len(failures) == len(faults)

        wait_until(everything_failed, 90, f"a failure of each of {faults}")
        wrong = []
        ARTIFACTS.mkdir(exist_ok=True)
        with (ARTIFACTS / "robot-faults.md").open("a") as table:
            for fault, failure in failures.items():
                phase, codes = CASES[fault]
                table.write(f"| `{fault}` | {failure['phase']} | `{failure['code']}` | {failure['reason']} | {failure['causes'][0]} |\n")
                if failure["phase"] != phase or failure["code"] not in codes:
                    wrong.append(f"{fault}: {failure}")
                if not (failure["reason"] and failure["causes"] and failure["remedy"]):
                    wrong.append(f"{fault} lacks words: {failure}")
        assert not wrong, "\n".join(wrong)
        # Each is degraded in /health with its remedy, and the others are not held up by it.
        parts = {part["part"]: part for part in server.health()["degraded"]}
        for name in names:
            assert parts[f"robot:{name}"]["reason"] and parts[f"robot:{name}"]["remedy"]
        for robot in robots:
            robot.clear_faults()
        for name in names:
            wait_until(lambda: robot_of(server, name)["state"] == "connected", 90, f"{name} connected after {faults}")


def test_a_wrong_key_and_a_missing_key_are_told(tmp_path):
    wrong = tmp_path / "key"
    wrong.write_text("ff" * 16)
    with Go2(data2=3, video="none") as robot:
        with server_for(robot) as server:
            failure = wait_until(lambda: robot_of(server)["failure"], 30, "a failure")
            assert (failure["phase"], failure["code"]) == ("signaling", "key_required")
        with server_for(robot, aes_key_file=str(wrong)) as server:
            failure = wait_until(lambda: robot_of(server)["failure"], 30, "a failure")
            assert (failure["phase"], failure["code"]) == ("signaling", "key_rejected")
            assert "ff" * 16 not in server.log()
        right = tmp_path / "right"
        right.write_text(robot.ready["aes_key"] + "\n")
        with server_for(robot, aes_key_file=str(right)) as server:
            wait_until(lambda: robot_of(server)["state"] == "connected", 30, "connected")
            assert robot.ready["aes_key"] not in server.log()


@pytest.mark.parametrize("fault, code", [("media.none", "no_packets"), ("media.garbage", "no_picture"), ("media.no_idr", "no_picture")])
def test_a_camera_without_a_picture_is_told_while_all_else_goes_on(browser, fault, code):
    with Go2() as robot, server_for(robot) as server:
        robot.fault(fault)
        page = browser.new_page()
        page.goto(f"{server.http}/robot/#robot=go2")
        page.wait_for_selector("#robot-phases [data-phase=media].failed", timeout=60_000)
        phases = {phase["phase"]: phase for phase in robot_of(server)["phases"]}
        assert phases["media"]["code"] == code and phases["media"]["reason"] and phases["media"]["causes"]
        page.wait_for_function("document.querySelector('.joints td').textContent.includes('°C')", timeout=10_000)
        assert robot_of(server)["state"] == "connected"
        robot.clear_faults()
        page.close()
