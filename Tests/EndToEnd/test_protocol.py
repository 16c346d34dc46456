"""The public protocol field for field: management API, WebSocket signaling, WHEP, metrics (signaling.md)."""
import datetime
import re
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from offers import Offer
from server import Server, request, wait_until
from signaling import Client, client_of, session_of

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture(scope="module")
def server():
    with Server(connectivity="relay") as server:
        yield server


def beside(**settings) -> Server:
    """A server of other settings on ports of its own, since the module's server holds the usual ones."""
    return Server(webrtc={"port_min": 10210, "port_max": 10215}, **settings)


def is_time(text: str) -> bool:
    """ISO 8601, not far from now."""
    moment = datetime.datetime.fromisoformat(text)
    assert moment.tzinfo is not None, f"{text} has no offset from UTC"
    return abs((datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()) < 60


# The management API


def test_health_tells_the_state_on_both_ports(server):
    status, headers, health = request("GET", server.http + "/health")
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert health["status"] == "healthy" and health["degraded"] == []
    assert isinstance(health["service"], str) and health["max_sessions"] == 100
    assert isinstance(health["active_sessions"], int) and health["uptime_seconds"] >= 0
    assert any(re.match(r"\d+\.\d+", version) for version in health["versions"].values())
    status, _, other = request("GET", server.ws.replace("ws:", "http:") + "/health")
    assert status == 200 and other["status"] == "healthy" and isinstance(other["active_connections"], int)
    with client_of(session_of(server)) as client:
        client.hear_nothing_but()
        other = request("GET", server.ws.replace("ws:", "http:") + "/health")[2]
        assert other["active_connections"] >= 1


@pytest.mark.parametrize("path", ["/api/webrtc/config", "/v1/webrtc/config", "/mgmt/v1/webrtc/config", "/config"])
def test_ice_configuration(server, path):
    status, headers, config = request("GET", server.http + path)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert set(config) == {"iceServers", "iceTransportPolicy", "publicIp", "portRange", "sdpSemantics"}
    assert config["iceTransportPolicy"] == "relay" and config["sdpSemantics"] == "unified-plan"
    assert config["publicIp"] == "127.0.0.1" and config["portRange"] == {"min": 10110, "max": 10115}
    for entry in config["iceServers"]:
        assert isinstance(entry["urls"], list) and entry["urls"]
    turn = [entry for entry in config["iceServers"] if entry["urls"][0].startswith("turn:")]
    assert [entry["urls"][0] for entry in turn] == ["turn:127.0.0.1:10110"]
    assert re.fullmatch(r"\d{9,11}:\S+", turn[0]["username"]) and turn[0]["credential"]
    assert any(entry["urls"][0].startswith("stun:") and "username" not in entry for entry in config["iceServers"])


def test_every_ice_configuration_carries_fresh_credentials(server):
    names = {entry["username"] for _ in range(3) for entry in request("GET", server.http + "/config")[2]["iceServers"]
             if "username" in entry}
    assert len(names) == 3


@pytest.mark.parametrize("prefix", ["/v1", "/mgmt/v1"])
def test_a_session_from_its_birth_to_its_end(server, prefix):
    sessions = server.http + prefix + "/sessions"
    before = request("GET", sessions)[2]["total"]
    status, _, made = request("POST", sessions, {"tutor_id": 7, "student_id": 8, "kb_id": "algebra"})
    assert status == 201 and set(made) == {"session_id", "engine_url", "engine_token", "status"}
    assert made["status"] == "active"
    assert made["engine_url"] == f"{server.ws}/ws/{made['session_id']}"
    own = f"{sessions}/{made['session_id']}"
    status, _, shown = request("GET", own)
    assert status == 200
    assert set(shown) == {"session_id", "tutor_id", "student_id", "kb_id", "status", "created_at", "last_activity"}
    assert (shown["session_id"], shown["tutor_id"], shown["student_id"], shown["kb_id"], shown["status"]) == (
        made["session_id"], 7, 8, "algebra", "active")
    assert is_time(shown["created_at"]) and is_time(shown["last_activity"])
    status, _, listed = request("GET", sessions)
    assert status == 200 and listed["total"] == before + 1 == len(listed["sessions"])
    assert made["engine_token"] not in str(listed) and "engine_token" not in str(listed)
    assert made["session_id"] in [entry["session_id"] for entry in listed["sessions"]]
    status, _, body = request("DELETE", own)
    assert status == 204 and body == ""
    for method in ("GET", "DELETE"):
        status, _, body = request(method, own)
        assert status == 404 and list(body) == ["detail"]


@pytest.mark.parametrize("body", [
    "", "[]", "null", "{", '{"student_id":1}', '{"tutor_id":1}', '{"tutor_id":"one","student_id":1}',
    '{"tutor_id":1,"student_id":1.5}', '{"tutor_id":1,"student_id":1,"kb_id":5}', '{"tutor_id":1e999,"student_id":1}',
    '{"tutor_id":99999999999999999999999,"student_id":1}', "[" * 100_000, '{"a":' * 20_000, '"\\ud800"', "\x00\x01"])
def test_a_session_request_that_makes_no_sense_is_refused(server, body):
    status, _, answer = request("POST", server.http + "/v1/sessions", body, {"Content-Type": "application/json"})
    assert status in (400, 422) and isinstance(answer["detail"], str), (status, answer)


def test_a_session_may_leave_its_knowledge_base_out(server):
    status, _, made = request("POST", server.http + "/v1/sessions", {"tutor_id": 1, "student_id": 1})
    assert status == 201
    assert request("GET", f"{server.http}/v1/sessions/{made['session_id']}")[2]["kb_id"] is None


def test_too_many_sessions_are_told_when_to_come_back():
    with beside(sessions={"maximum": 2}) as server:
        first, _ = session_of(server), session_of(server)
        status, headers, body = request("POST", server.http + "/v1/sessions", {"tutor_id": 1, "student_id": 1, "kb_id": None})
        assert (status, body) == (503, {"detail": "Maximum sessions (2) reached"})
        assert int(headers["Retry-After"]) > 0
        request("DELETE", f"{server.http}/v1/sessions/{first['session_id']}")
        session_of(server)
        assert server.health()["active_sessions"] == server.health()["max_sessions"] == 2


def test_a_session_that_nobody_uses_ends_and_its_connection_with_it():
    with beside(sessions={"timeout_seconds": 10}) as server:
        session = session_of(server)
        with client_of(session) as client:
            client.hear_nothing_but()
            code, reason = client.closed(timeout=20)
            assert code == 1000 and "timed out" in reason
        assert request("GET", f"{server.http}/v1/sessions/{session['session_id']}")[0] == 404


def video_of_a_second(path: Path) -> bytes:
    """A second of grey, written to that file."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "color=gray:size=64x64:rate=10:duration=1",
                    "-pix_fmt", "yuv420p", str(path)], check=True)
    return path.read_bytes()


@pytest.mark.parametrize("prefix", ["/v1", "/mgmt/v1"])
def test_an_avatar_from_its_registration_to_its_end(server, prefix):
    avatars = server.http + prefix + "/avatars"
    video = server.folder / "tutor.mp4"
    video_of_a_second(video)
    status, _, made = request("POST", avatars, {
        "avatar_id": None, "video_path": str(video), "apply_blur": True, "tutor_id": 31})
    new = {"preparation", "progress", "reason"}
    assert status == 201 and set(made) - new == {"status", "avatar_id", "avatar_path", "message", "mock"}
    assert made["status"] == "success" and made["preparation"] == "ready"
    assert made["avatar_id"] == "avatar_tutor_31" and made["avatar_path"] == str(video)
    assert made["mock"] in (None, False)
    status, _, shown = request("GET", avatars + "/avatar_tutor_31")
    assert (status, shown) == (200, {
        "avatar_id": "avatar_tutor_31", "avatar_path": str(video), "exists": True, "status": "ready", "progress": 1,
        "reason": None})
    listed = request("GET", avatars)[2]
    assert listed["total"] == len(listed["avatars"]) and "avatar_tutor_31" in listed["avatars"]
    assert request("DELETE", avatars + "/avatar_tutor_31")[0] == 204
    for method in ("GET", "DELETE"):
        status, _, body = request(method, avatars + "/avatar_tutor_31")
        assert status == 404 and list(body) == ["detail"]
    assert video.exists(), "the operator's own file was deleted"


def form(fields: dict, file: bytes | None, name="a.mp4") -> tuple[bytes, dict]:
    parts = [f'--limit\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
             for key, value in fields.items()]
    if file is not None:
        parts.append(f'--limit\r\nContent-Disposition: form-data; name="video_file"; filename="{name}"\r\n'
                     "Content-Type: video/mp4\r\n\r\n".encode() + file + b"\r\n")
    return b"".join(parts) + b"--limit--\r\n", {"Content-Type": "multipart/form-data; boundary=limit"}


def test_an_avatar_is_uploaded(server):
    video = video_of_a_second(server.folder / "uploaded-original.mp4")
    body, headers = form({"avatar_id": "uploaded", "apply_blur": "true", "tutor_id": "4"}, video, "../../etc/x.mp4")
    status, _, made = request("POST", server.http + "/v1/avatars/upload", body, headers)
    assert status == 201 and made["avatar_id"] == "uploaded", made
    path = server.folder / "avatars" / "uploaded.mp4"
    assert made["avatar_path"] == str(path) and path.read_bytes() == video
    assert request("DELETE", server.http + "/v1/avatars/uploaded")[0] == 204
    assert not path.exists()


def test_a_file_that_is_no_video_is_refused_and_replaces_nothing(server):
    video = video_of_a_second(server.folder / "good-original.mp4")
    body, headers = form({"avatar_id": "good"}, video)
    assert request("POST", server.http + "/v1/avatars/upload", body, headers)[0] == 201
    for rubbish in (bytes(range(256)) * 4096, b"x", video[:200]):
        body, headers = form({"avatar_id": "good"}, rubbish)
        status, _, answer = request("POST", server.http + "/v1/avatars/upload", body, headers)
        assert status == 422 and answer["detail"].startswith("video_file is no video: "), answer
        assert str(server.folder) not in answer["detail"]
    assert (server.folder / "avatars" / "good.mp4").read_bytes() == video
    assert not list((server.folder / "avatars").glob(".upload-*"))
    assert request("DELETE", server.http + "/v1/avatars/good")[0] == 204


@pytest.mark.parametrize("body, status", [
    ({"avatar_id": "../evil", "video_path": "x"}, 422), ({"avatar_id": "a" * 65, "video_path": "x"}, 422),
    ({"video_path": "x"}, 422), ({"avatar_id": "a"}, 422), ({"avatar_id": "a", "video_path": "/etc/passwd"}, 403),
    ({"avatar_id": "a", "video_path": "{folder}/../../etc/passwd"}, 403), ({"avatar_id": "a", "video_path": "/no/such"}, 404),
    ({"avatar_id": "a", "video_path": "{folder}/link"}, 403), ({"avatar_id": "a", "video_path": "{folder}/avatars"}, 422)])
def test_an_avatar_that_is_not_allowed_is_refused(server, body, status):
    link = server.folder / "link"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    body = {key: value.replace("{folder}", str(server.folder)) for key, value in body.items()}
    found, _, answer = request("POST", server.http + "/v1/avatars", body)
    assert found == status and isinstance(answer["detail"], str), answer


def test_an_upload_without_a_video_or_a_boundary_is_refused(server):
    body, headers = form({"avatar_id": "none"}, None)
    assert request("POST", server.http + "/v1/avatars/upload", body, headers)[0] == 422
    assert request("POST", server.http + "/v1/avatars/upload", body, {"Content-Type": "text/plain"})[0] == 415
    assert request("POST", server.http + "/v1/avatars/upload", body[:-20], headers)[0] in (400, 422)


def test_other_methods_and_paths_are_refused_as_http_demands(server):
    status, headers, body = request("PUT", server.http + "/v1/sessions")
    assert status == 405 and {"GET", "POST"} <= {word.strip() for word in headers["Allow"].split(",")}
    assert isinstance(body["detail"], str)
    status, _, body = request("GET", server.http + "/v1/nothing")
    assert status == 404 and isinstance(body["detail"], str)
    status, headers, body = request("HEAD", server.http + "/health")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 0
    for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd"):
        status, _, body = request("GET", server.http + path)
        assert status in (400, 403, 404) and "root:" not in str(body)


# CORS and the management token


def test_pages_of_any_origin_may_call_by_default(server):
    origin = {"Origin": "https://school.example"}
    for method, path in (("GET", "/health"), ("GET", "/config"), ("GET", "/v1/nothing")):
        assert request(method, server.http + path, None, origin)[1]["Access-Control-Allow-Origin"] == "*"
    status, headers, _ = request("OPTIONS", server.http + "/v1/sessions", None, origin | {
        "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
    assert status in (200, 204) and "POST" in headers["Access-Control-Allow-Methods"]
    assert "content-type" in headers["Access-Control-Allow-Headers"].lower()
    exposed = request("GET", server.http + "/health", None, origin)[1]["Access-Control-Expose-Headers"]
    assert {"location", "etag"} <= {word.strip().lower() for word in exposed.split(",")}


def test_configured_origins_and_the_management_token_are_kept():
    management = {"cors_origins": ["https://school.example"], "bearer_token": "s3cret"}
    with beside(management=management) as server:
        _, headers, _ = request("GET", server.http + "/health", None, {"Origin": "https://school.example"})
        assert headers["Access-Control-Allow-Origin"] == "https://school.example" and "Origin" in headers["Vary"]
        _, headers, _ = request("GET", server.http + "/health", None, {"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in headers
        for path in ("/v1/sessions", "/v1/avatars"):
            for token in (None, "Bearer wrong", "Bearer s3cre", "s3cret"):
                status, headers, body = request("GET", server.http + path, None, {"Authorization": token} if token else {})
                assert status == 401 and headers["WWW-Authenticate"] == "Bearer" and body["detail"]
            assert request("GET", server.http + path, None, {"Authorization": "Bearer s3cret"})[0] == 200
        assert request("GET", server.http + "/config")[0] == request("GET", server.http + "/health")[0] == 200


# The WebSocket


def test_a_session_s_token_opens_its_connection_and_no_other(server):
    one, two = session_of(server), session_of(server)
    for path in ("/ws/", "/ws/ws/"):
        with Client(f"{server.ws}{path}{one['session_id']}?token={one['engine_token']}") as client:
            assert client.ask(kind="hello", type="hello", version=1) == {
                "type": "hello", "version": 1, "session_id": one["session_id"]}
        for query in ("", "?token=", "?token=wrong", f"?token={two['engine_token']}", f"?token={one['engine_token']}x"):
            with Client(f"{server.ws}{path}{one['session_id']}{query}") as client:
                assert client.closed()[0] == 1008
    with Client(f"{server.ws}/ws/no-such-session?token=x") as client:
        assert client.closed()[0] == 1008
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{server.ws}/elsewhere")
    assert refused.value.response.status_code == 404


def test_a_deleted_session_ends_its_connection(server):
    session = session_of(server)
    with client_of(session) as client:
        client.hear_nothing_but()
        assert request("DELETE", f"{server.http}/v1/sessions/{session['session_id']}")[0] == 204
        assert client.closed()[0] == 1000
    with client_of(session) as client:
        assert client.closed()[0] == 1008


def test_users_without_a_session(server):
    with Client(f"{server.ws}/ws/user_5") as client:
        assert client.ask(kind="hello", type="hello", version=1) == {"type": "hello", "version": 1, "session_id": None}
        message = client.ask(type="text", content="hello", user_id=5)
        assert message["content"] == "tutor_id is required in sessionless mode"
        message = client.ask(type="text_webrtc", content="hello", user_id=5, avatar_id="a")
        assert message["content"] == "tutor_id is required in sessionless mode"
    with beside(signaling={"user_token": "open-sesame"}) as locked:
        for query, is_open in (("", False), ("?token=open", False), ("?token=open-sesame", True)):
            with Client(f"{locked.ws}/ws/user_5{query}") as client:
                if is_open:
                    client.hear_nothing_but()
                else:
                    assert client.closed()[0] == 1008


OFFER = {"type": "webrtc_offer", "sdp": "v=0", "user_id": 1, "avatar_id": "a", "tutor_id": 1}
CANDIDATE = {"type": "webrtc_ice_candidate", "user_id": 1,
             "candidate": {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}}
TALK = {"type": "text_webrtc", "content": "hello", "avatar_id": "a", "user_id": 1, "tutor_id": 1}


def without(message: dict, *fields: str) -> dict:
    return {key: value for key, value in message.items() if key not in fields}


@pytest.mark.parametrize("message, text", [
    (without(OFFER, "sdp"), "SDP offer is required"),
    (OFFER | {"sdp": ""}, "SDP offer is required"),
    (without(OFFER, "sdp", "user_id"), "SDP offer is required"),
    (without(OFFER, "user_id"), "user_id is required for WebRTC"),
    (without(CANDIDATE, "candidate"), "ICE candidate is required"),
    (without(CANDIDATE, "user_id"), "user_id is required for WebRTC"),
    (without(TALK, "avatar_id"), "avatar_id is required for WebRTC streaming"),
    (without(TALK, "avatar_id", "user_id"), "avatar_id is required for WebRTC streaming"),
    (without(TALK, "user_id"), "user_id is required for WebRTC"),
    ({"type": "dance"}, "Unsupported message type: dance"),
    ({"type": ""}, "Unsupported message type: "),
    ({"type": 5}, "Invalid message format"),
    ({"sdp": "v=0"}, "Invalid message format"),
    ([OFFER], "Invalid message format"),
    ("not JSON", "Invalid message format"),
    ("", "Invalid message format"),
    ("[" * 50_000, "Invalid message format"),
    (b'{"type":"ping"}', "Invalid message format"),
])
def test_a_wrong_message_is_answered_by_the_text_that_old_clients_know(server, message, text):
    with client_of(session_of(server)) as client:
        client.say({"type": "init", "avatar_id": "avatar_tutor_1"})
        answer = client.ask(message)
        assert answer["content"] == text and is_time(answer["timestamp"])
        assert set(answer) == {"type", "content", "timestamp"}
        client.hear_nothing_but()


def test_a_text_needs_something_to_say(server):
    with client_of(session_of(server)) as client:
        assert client.ask(TALK | {"content": "  "})["content"] == "content is required"
        assert "8192" in client.ask(TALK | {"content": "a" * 8193})["content"]
        assert "webrtc_offer" in client.ask(TALK)["content"], "speech without a peer connection must be refused plainly"


def test_the_answer_comes_before_the_candidates(server):
    with client_of(session_of(server)) as client:
        answer = client.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")
        assert set(answer) == {"type", "sdp", "timestamp"} and is_time(answer["timestamp"])
        assert [message["type"] for message in client.seen if message["type"] != "webrtc_state"] == ["webrtc_answer"]
        candidate = client.hear("webrtc_ice_candidate")
        assert set(candidate) == {"type", "candidate"}
        assert set(candidate["candidate"]) == {"candidate", "sdpMid", "sdpMLineIndex"}
        line = candidate["candidate"]["candidate"]
        assert line.startswith("candidate:") and " typ relay" in line and 10110 <= int(line.split()[5]) <= 10115
        assert (candidate["candidate"]["sdpMid"], candidate["candidate"]["sdpMLineIndex"]) == ("0", 0)
        lines = answer["sdp"].split("\r\n")
        assert [line for line in lines if line.startswith("m=")] == [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=audio 9 UDP/TLS/RTP/SAVPF 111"]
        assert lines.count("a=sendonly") == 2 and lines.count("a=rtcp-mux") == 2 and "a=group:BUNDLE 0 1" in lines
        assert "a=setup:passive" in lines and "typ host" not in answer["sdp"]
        client.hear_nothing_but("webrtc_ice_candidate", "webrtc_state")
        states = [message for message in client.seen if message["type"] == "webrtc_state"]
        for message in states:
            assert message["state"] in ("new", "connecting", "connected", "disconnected", "failed", "closed")
            assert is_time(message["timestamp"])


def test_an_offer_that_makes_no_sense_is_refused_and_the_connection_stays(server):
    with client_of(session_of(server)) as client:
        for sdp in ("v=0", "rubbish", Offer().sdp.replace("a=fingerprint", "a=nothing"), Offer().sdp.replace("a=ice-pwd", "a=x"),
                    "\r\n" * 1000, Offer().sdp * 50, Offer().sdp.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")):
            answer = client.ask(OFFER | {"sdp": sdp})
            assert answer["content"]
        client.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")


def test_a_second_offer_of_the_same_peer_connection_restarts_its_ice(server):
    with client_of(session_of(server)) as client:
        offer = Offer()
        first = client.ask(OFFER | {"sdp": offer.sdp}, kind="webrtc_answer")["sdp"]
        viewers = server.metric("avatar_viewers")
        second = client.ask(OFFER | {"sdp": offer.restart().sdp}, kind="webrtc_answer")["sdp"]
        assert server.metric("avatar_viewers") == viewers

        def fields(sdp, name):
            return {line for line in sdp.split("\r\n") if line.startswith("a=" + name)}
        assert fields(first, "ice-ufrag") != fields(second, "ice-ufrag")
        assert fields(first, "fingerprint") == fields(second, "fingerprint")


def test_another_offer_of_the_same_user_replaces_its_own_viewer_alone(server):
    with client_of(session_of(server)) as one, client_of(session_of(server)) as two:
        for client in (one, two):
            client.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")
        viewers = server.metric("avatar_viewers")
        count = len(two.seen)
        one.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")
        wait_until(lambda: server.metric("avatar_viewers") == viewers, 5, "the replaced viewer's end")
        two.hear_nothing_but("webrtc_state", "webrtc_ice_candidate")
        assert "closed" not in [message.get("state") for message in two.seen[count:]]


def test_the_new_messages_of_ours(server):
    with client_of(session_of(server)) as client:
        for kind in ("restart_ice", "end_of_candidates"):
            assert "webrtc_offer" in client.ask(type=kind)["content"]
        client.say(type="interrupt")
        client.hear_nothing_but()
        client.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")
        client.say(CANDIDATE)
        client.say(CANDIDATE | {"candidate": {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}})
        client.say(type="end_of_candidates", user_id=1)
        client.say(type="restart_ice", user_id=1)
        client.hear_nothing_but("webrtc_state", "webrtc_ice_candidate")
        viewers = server.metric("avatar_viewers")
        client.say(type="bye")
        assert client.closed()[0] == 1000
        wait_until(lambda: server.metric("avatar_viewers") == viewers - 1, 5, "the viewer's end after bye")


def test_what_is_said_in_one_session_is_told_to_that_session_alone(server):
    with client_of(session_of(server)) as speaker, client_of(session_of(server)) as other:
        for client in (speaker, other):
            client.ask(OFFER | {"sdp": Offer().sdp}, kind="webrtc_answer")
        complete = speaker.ask(TALK | {"content": "Only for me.", "verbatim": True}, kind="text_complete")
        assert set(complete) == {"type", "content", "role", "timestamp"}
        assert (complete["content"], complete["role"]) == ("Only for me.", "assistant")
        status = speaker.hear("processing_status")
        assert set(status) == {"type", "status", "message", "timestamp"} and status["status"] == "generating_audio_video"
        other.hear_nothing_but("webrtc_state", "webrtc_ice_candidate")


# WHEP


def begin(server: Server, offer: Offer, stage="avatar", **headers):
    return request("POST", f"{server.http}/whep/{stage}", offer.sdp, SDP | headers)


def test_a_whep_viewer_from_its_offer_to_its_end(server):
    offer = Offer()
    status, headers, answer = begin(server, offer)
    assert status == 201 and headers["Content-Type"] == "application/sdp"
    assert re.fullmatch(r'"[^"]+"', headers["ETag"]) and headers["Accept-Patch"] == FRAGMENT["Content-Type"]
    assert " typ relay" in answer and " typ host" not in answer and "a=end-of-candidates" in answer
    links = headers.get_all("Link")
    assert any('rel="ice-server"' in link and "turn:127.0.0.1:10110" in link and "credential=" in link for link in links)
    resource = urllib.parse.urljoin(f"{server.http}/whep/avatar", headers["Location"])
    tag = {"If-Match": headers["ETag"]}
    candidate = "a=candidate:1 1 udp 41885439 127.0.0.1 50000 typ relay raddr 0.0.0.0 rport 0"

    body = offer.fragment(candidate, "a=end-of-candidates")
    assert request("PATCH", resource, body, FRAGMENT | tag)[0] == 204
    assert request("PATCH", resource, body, FRAGMENT)[0] == 428
    assert request("PATCH", resource, body, FRAGMENT | {"If-Match": '"another"'})[0] == 412
    assert request("PATCH", resource, body, SDP | tag)[0] == 415
    assert request("PATCH", resource, "rubbish", FRAGMENT | tag)[0] == 400

    status, restarted, reply = request("PATCH", resource, offer.restart().fragment(candidate), FRAGMENT | {"If-Match": "*"})
    assert status == 200 and restarted["Content-Type"] == FRAGMENT["Content-Type"], reply
    assert restarted["ETag"] != headers["ETag"] and "a=ice-ufrag:" in reply and " typ relay" in reply
    assert request("PATCH", resource, offer.fragment(candidate), FRAGMENT | tag)[0] == 412

    assert request("DELETE", resource)[0] == 200
    for method, body in (("DELETE", None), ("PATCH", offer.fragment())):
        status, headers, problem = request(method, resource, body, FRAGMENT | {"If-Match": "*"})
        assert status == 404
        assert problem["status"] == 404 and problem["detail"] and problem["title"]
        assert headers["Content-Type"] == "application/problem+json"


def test_whep_refuses_with_problem_details(server):
    cases = [
        (415, {"Content-Type": "text/plain"}, Offer().sdp, "avatar"),
        (406, SDP | {"Accept": "application/json"}, Offer().sdp, "avatar"),
        (400, SDP, "rubbish", "avatar"),
        (400, SDP, Offer().sdp.replace("a=fingerprint", "a=nothing"), "avatar"),
        (404, SDP, Offer().sdp, "no-such-stage"),
    ]
    for status, headers, body, stage in cases:
        found, fields, problem = request("POST", f"{server.http}/whep/{stage}", body, headers)
        assert found == status, (found, problem)
        assert fields["Content-Type"] == "application/problem+json" and problem["status"] == status and problem["detail"]
    for accept in ("application/sdp", "*/*", "application/*;q=0.5, text/html"):
        assert begin(server, Offer(), Accept=accept)[0] == 201
    status, headers, _ = request("OPTIONS", server.http + "/whep/avatar")
    assert status in (200, 204) and headers["Accept-Post"] == "application/sdp"
    assert request("PUT", server.http + "/whep/avatar", "x", SDP)[0] == 405


def test_whep_shows_a_session_s_stage_to_its_own_token_alone(server):
    one, two = session_of(server), session_of(server)
    for token in (None, "wrong", two["engine_token"]):
        status, headers, _ = begin(server, Offer(), one["session_id"], **({"Authorization": f"Bearer {token}"} if token else {}))
        assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    status, headers, _ = begin(server, Offer(), one["session_id"], Authorization=f"Bearer {one['engine_token']}")
    assert status == 201
    resource = urllib.parse.urljoin(server.http, headers["Location"])
    assert request("DELETE", resource)[0] == 401, "somebody without the token ended the viewer"
    assert request("DELETE", resource.replace(one["session_id"], "avatar"))[0] == 404
    assert request("DELETE", resource, None, {"Authorization": f"Bearer {one['engine_token']}"})[0] == 200


def test_the_public_stage_may_need_a_token_or_be_closed():
    with beside(whep={"bearer_token": "t0ken"}) as server:
        assert begin(server, Offer())[0] == begin(server, Offer(), Authorization="Bearer no")[0] == 401
        assert begin(server, Offer(), Authorization="Bearer t0ken")[0] == 201
    with beside(public_stage={"enabled": False}) as server:
        assert begin(server, Offer())[0] == 404
    with beside(whep={"enabled": False}) as server:
        assert begin(server, Offer())[0] in (404, 405)  # The page's files are left on that path: they have no POST.


# Figures


def test_metrics_are_prometheus_text(server):
    begin(server, Offer())
    status, headers, text = request("GET", server.http + "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    helped, typed, names = set(), set(), set()
    for line in text.splitlines():
        if match := re.fullmatch(r"# HELP (\w+) .+", line):
            helped.add(match[1])
        elif match := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram)", line):
            typed.add(match[1])
        else:
            match = re.fullmatch(r'(\w+)(\{(?:\w+="[^"\n]*",?)*\})? (NaN|[-+]?Inf|[-+]?[0-9.]+(?:e[-+]?[0-9]+)?)', line)
            assert match, f"not a sample: {line!r}"
            names.add(re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in typed else match[1])
    assert helped == typed and names <= typed
    assert {"avatar_viewers", "avatar_viewers_total", "avatar_media_refused_total", "avatar_frame_latency_seconds"} <= names
    assert "viewer-" not in text and "127.0.0.1" not in text
