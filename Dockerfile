# The whole server as an image: docker build -t avatar-streamer . (docs/operations.md, "Docker and systemd").

FROM swift:6.3-bookworm AS builder
# The same folder as in the image that runs: a virtual environment knows its place.
WORKDIR /opt/avatar-streamer
# What is built with, and the worker's Python packages, are listed in one place for everybody.
COPY scripts/setup scripts/setup
COPY Workers/requirements.lock Workers/requirements.lock
RUN scripts/setup run
# SwiftPM wants the folder of every target, whether it is built or not.
COPY Package.swift ./
COPY Tests Tests
COPY Fuzz Fuzz
COPY Benchmarks Benchmarks
COPY Sources Sources
# Swift's own libraries lie beside the program, where it looks for them.
RUN swift build --explicit-target-dependency-import-check error -c release --product avatar-streamer \
    && mkdir bin \
    && cp .build/release/avatar-streamer bin/ \
    && ldd bin/avatar-streamer | awk '$3 ~ "/swift/linux/" { print $3 }' | xargs cp -t bin/

FROM debian:bookworm-slim
# The libraries that the program links (Tests/EndToEnd/test_packaging.py holds this list against it), the recogniser's model, certificates for
# services behind https, Python with venv for projects and their requirements.txt, and tini: orphans of a project or an engine that was killed
# become children of process 1, and the server waits for its own children alone.
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        libavcodec59 libavformat59 libavutil57 libcairo2 libcap2 libcurl4 libddsc0debian libflite1 liblz4-1 libopus0 libpocketsphinx3 \
        libsphinxbase3 libsrtp2-1 libssl3 libstdc++6 libswresample4 libswscale6 libusrsctp2 libvpx7 libwebrtc-audio-processing1 \
        libwebsockets17 libyaml-0-2 libyuv0 libzmq5 zlib1g \
        ca-certificates pocketsphinx-en-us python3 python3-venv tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /opt/avatar-streamer --shell /usr/sbin/nologin avatar-streamer
WORKDIR /opt/avatar-streamer
COPY --from=builder /opt/avatar-streamer/bin bin
COPY --from=builder /opt/avatar-streamer/.venv-worker .venv-worker
COPY Web Web
COPY Workers Workers
COPY config config
COPY config/avatar-streamer.yaml /etc/avatar-streamer/avatar-streamer.yaml
RUN ln -s /opt/avatar-streamer/bin/avatar-streamer /usr/local/bin/avatar-streamer \
    && install -d -o avatar-streamer -g avatar-streamer -m 0750 var
USER avatar-streamer
# State, avatars, projects with their history: everything that outlives the container.
VOLUME /opt/avatar-streamer/var
# Management and viewer page, signaling, robot control; the relay by UDP and TCP; media.
EXPOSE 9000 9001 8000 10110/udp 10110/tcp 10111-10115/udp
# `/health` answers also while something is degraded: that is for people to mend, and a restart would not.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python3", "-c", "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ.get('MANAGEMENT_API_PORT', 9000)}/health\", timeout=4)"]
# The server drains: give `docker stop` at least shutdown.drain_seconds and what the project's stop() takes (`-t 30`).
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "avatar-streamer"]
CMD ["serve", "--config", "/etc/avatar-streamer/avatar-streamer.yaml"]
