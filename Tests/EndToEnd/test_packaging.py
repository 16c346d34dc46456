"""The image and the system service, as far as they can be checked where neither Docker nor systemd runs: against the built server and this tree."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from server import BINARY, ROOT

DOCKERFILE = ROOT / "Dockerfile"
UNIT = ROOT / "packaging/avatar-streamer.service"
# In debian:bookworm-slim, which dpkg itself could not do without.
BASE = {"libc6", "libgcc-s1", "gcc-12-base"}


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines put together."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def installed_by_the_image() -> set[str]:
    text = next(text for name, text in stages()[-1] if name == "RUN" and "apt-get install" in text)
    words = text.split("apt-get install", 1)[1].split("&&")[0].split()
    return {word for word in words if not word.startswith("-")}


def packages() -> dict[str, str | None]:
    """Of each library that the built server is linked with, the Debian package; none for Swift's own, which lie beside the program."""
    # /lib is a link to /usr/lib, and dpkg knows a file by either name; links among libraries it knows as such.
    names = {path: [path, "/usr" + path, path.removeprefix("/usr"), str(Path(path).resolve())] for path in libraries().values()}
    asked = subprocess.run(["dpkg", "-S", *{name for several in names.values() for name in several}], capture_output=True, text=True)
    owners = {path: owner.split(":", 1)[0] for owner, _, path in (line.partition(": ") for line in asked.stdout.splitlines())}
    return {path: next((owners[name] for name in several if name in owners), None) for path, several in names.items()}


def libraries() -> dict[str, str]:
    """What the built server is linked with in the end: name and path."""
    lines = (line.split() for line in output("ldd", str(BINARY)).splitlines())
    return {words[0]: words[2] for words in lines if len(words) >= 3 and words[1] == "=>"}


def closure(packages: set[str]) -> set[str]:
    """These packages and what Debian says they need, as they are on this machine."""
    needs: dict[str, list[set[str]]] = {}
    for line in output("dpkg-query", "-W", "-f", "${Package}\t${Depends}, ${Pre-Depends}\n").splitlines():
        name, _, depends = line.partition("\t")
        needs[name] = [{re.split(r"[ (:]", part.strip(), maxsplit=1)[0] for part in group.split("|")} for group in depends.split(",") if group.strip()]
    found, waiting = set(), list(packages)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [other for group in needs.get(name, []) for other in group if other in needs]
    return found


def test_everything_that_the_image_copies_is_there():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sources = []
    for name, text in instructions():
        assert name != "ADD", "COPY does what it says"
        if name == "COPY" and "--from=" not in text:
            sources += [word for word in text.split()[:-1] if not word.startswith("--")]
    assert len(sources) > 8
    for source in sources:
        assert (ROOT / source).exists(), f"{source} is copied and not there"
        assert source.split("/")[0] not in ignored, f"{source} is copied and kept from the builder by .dockerignore"
        tracked = output("git", "-C", str(ROOT), "ls-files", source)
        assert tracked, f"{source} is in no commit"


def test_what_one_stage_takes_of_another_is_made_there():
    builder, runtime = stages()
    folder = next(text for name, text in builder if name == "WORKDIR")
    taken = [text.split()[1] for name, text in runtime if name == "COPY" and "--from=builder" in text]
    assert taken == [f"{folder}/bin", f"{folder}/.venv-worker"]
    assert next(text for name, text in runtime if name == "WORKDIR") == folder, "a virtual environment knows its place"
    assert "environment .venv-worker Workers/requirements.lock" in (ROOT / "scripts/setup").read_text()
    assert any(name == "RUN" and "scripts/setup run" in text for name, text in builder)
    assert any(name == "RUN" and "mkdir bin" in text for name, text in builder)


def test_every_folder_that_the_package_names_is_in_the_builder():
    copied = {text.split()[0] for name, text in stages()[0] if name == "COPY"}
    folders = set(re.findall(r'path: "([A-Za-z]+)', (ROOT / "Package.swift").read_text())) | {"Sources", "Tests"}
    assert folders <= copied


@pytest.mark.skipif(not BINARY.exists(), reason="the server is not built")
def test_the_image_installs_what_the_server_links():
    asked = installed_by_the_image()
    needed = set(re.findall(r"NEEDED.*\[(.+)\]", output("readelf", "-d", str(BINARY))))
    assert len(needed) > 20
    paths, owners = libraries(), packages()
    direct = {owners[paths[name]] for name in needed if name in paths} - {None} - BASE
    assert direct <= asked, f"the image lacks {sorted(direct - asked)}"
    missing = set(owners.values()) - {None} - closure(asked) - BASE
    assert not missing, f"nothing in the image brings {sorted(missing)}"
    unused = {package for package in asked if package.startswith("lib")} - direct
    assert not unused, f"the image installs what the server does not link: {sorted(unused)}"


@pytest.mark.skipif(not BINARY.exists(), reason="the server is not built")
def test_swifts_own_libraries_are_taken_along():
    """All that no Debian package brings, by the words of the builder."""
    foreign = [path for path, package in packages().items() if package is None]
    assert foreign, "Swift's libraries come from somewhere"
    assert all("/swift/linux/" in path for path in foreign)
    assert "$ORIGIN" in output("readelf", "-d", str(BINARY))


def test_every_port_of_the_sample_configuration_is_exposed():
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for line in (ROOT / "config/avatar-streamer.yaml").read_text().splitlines():
        if match := re.match(r"(\w+):\s*$", line):
            section = match[1]
        elif match := re.match(r"  (\w+): (\S+)$", line):
            sections.setdefault(section, {})[match[1]] = match[2]
    webrtc = sections["webrtc"]
    first, last = int(webrtc["port_min"]), int(webrtc["port_max"])
    wanted = {f"{sections[name]['port']}/tcp" for name in ("management", "signaling", "robot_control")}
    wanted |= {f"{port}/udp" for port in range(first, last + 1)} | {f"{first}/tcp"}
    exposed = set()
    for word in next(text for name, text in stages()[-1] if name == "EXPOSE").split():
        ports, _, transport = word.partition("/")
        start, _, end = ports.partition("-")
        exposed |= {f"{port}/{transport or 'tcp'}" for port in range(int(start), int(end or start) + 1)}
    assert exposed == wanted


def test_the_image_does_not_run_as_root_and_is_looked_after():
    runtime = dict(stages()[-1])
    assert runtime["USER"] == "avatar-streamer"
    assert "/health" in runtime["HEALTHCHECK"] and runtime["STOPSIGNAL"] == "SIGTERM"
    assert runtime["VOLUME"] == runtime["WORKDIR"] + "/var"
    assert runtime["ENTRYPOINT"].startswith('["tini"'), "somebody must collect orphans"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_one_that_systemd_understands(tmp_path):
    text = UNIT.read_text()
    program = re.search(r"^ExecStart=(\S+)", text, re.M)[1]
    assert program == "/opt/avatar-streamer/bin/avatar-streamer"
    # The program and the user are installed where the unit is.
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(f"ExecStart={program}", "ExecStart=/bin/true").replace("=avatar-streamer\nGroup=avatar-streamer", "=root\nGroup=root"))
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout + said.stderr == "", said.stdout + said.stderr


def test_the_unit_leaves_the_worker_what_it_needs():
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Delegate"] == "memory pids" and "ProtectControlGroups" not in settings
    assert settings["OOMPolicy"] == "continue"
    assert "landlock_restrict_self" in settings["SystemCallFilter"]
    assert not {"MemoryDenyWriteExecute", "PrivateDevices", "PrivateNetwork"} & settings.keys()
    assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(settings["RestrictAddressFamilies"].split())
