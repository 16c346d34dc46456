"""Who may do what with a robot: tokens and their scopes, driving without any, and what is said while the robot is away."""
from go2 import LOW_STATE, Go2, ask, robot_of, server_for, wait_connected
from server import Server, request, wait_until
from signaling import Client


def test_scopes():
    with Go2(video="none") as guarded, Go2(video="none") as another:
        tokens = {"watcher": "watch", "reader": "read", "driver": "drive", "stranger": "drive"}
        access = {name: {"token": f"{name}-secret-token-0123456789", "scope": scope} for name, scope in tokens.items()}
        access["stranger"]["robots"] = ["go2-2"]
        with server_for(guarded, another, settings={"access": access}, drive_without_token=False, public="none") as server:
            def try_all(token, expected):
                head = {"Authorization": f"Bearer {token}"} if token else {}
                base = f"{server.http}/v1/robots/go2"
                got = [request("GET", base, headers=head)[0], request("GET", f"{base}/topics/{LOW_STATE}", headers=head)[0],
                       request("POST", f"{base}/stand_up", {}, head)[0]]
                assert got == expected, (token, got)
            wait_until(lambda: robot_of(server, token=access["driver"]["token"])["state"] == "connected", 30, "connected")
            try_all(None, [401, 401, 401])
            try_all("wrong", [401, 401, 401])
            try_all(access["watcher"]["token"], [200, 403, 403])
            try_all(access["reader"]["token"], [200, 200, 403])
            try_all(access["driver"]["token"], [200, 200, 200])
            try_all(access["stranger"]["token"], [403, 403, 403])
            with Client(f"{server.ws}/ws/robot_go2?token={access['reader']['token']}") as client:
                assert "commands" not in client.hear("robot_state")["robot"]
                refused = client.ask(type="robot_command", request_id=1, command="stand_up")
                assert refused["error_code"] == "scope" and refused["request_id"] == 1
                assert client.ask(type="drive_acquire")["error_code"] == "scope"
            with Client(f"{server.ws}/ws/robot_go2?token=wrong") as client:
                assert client.closed()[0] == 1008
            assert guarded.body["posture"] == "standing", "the driver alone was obeyed"
            for secret in (entry["token"] for entry in access.values()):
                assert secret not in server.log()


def test_without_tokens_driving_is_refused_with_the_remedy():
    with Go2(video="none") as one, server_for(one, drive_without_token=False) as server:
        wait_connected(server)
        status, refusal = ask(server, "POST", "/stand_up")
        assert status in (401, 403) and ("access" in refusal["detail"] or "token" in refusal["detail"])


def test_refusals_while_the_robot_is_away():
    with Server(robots={"go2": {"address": "127.0.0.250", "public": "read", "drive_without_token": True}}) as server:
        wait_until(lambda: robot_of(server)["failure"], 30, "a failure")
        status, refusal = ask(server, "POST", "/stand_up")
        assert status == 503 and refusal["error_code"] == "not_connected" and refusal["failure"]["remedy"]
        assert ask(server, "POST", "/drive")[0] == 503
        assert ask(server, "POST", "/somersault_of_doom")[0] in (404, 405)
        assert request("GET", f"{server.http}/v1/robots/nobody")[0] == 404
        assert "robot:go2" in [part["part"] for part in server.health()["degraded"]]
