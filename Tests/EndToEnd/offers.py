"""Offers as a browser writes them, for tests that need the server's answer but no picture."""
import secrets

SECTION = """m={kind} 9 UDP/TLS/RTP/SAVPF {formats}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:{ufrag}
a=ice-pwd:{pwd}
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:{mid}
a=recvonly
a=rtcp-mux
{codecs}
"""
VIDEO = """a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96"""
AUDIO = """a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1"""


class Offer:
    """One peer connection of a browser that never sends a packet. `restart` gives it new ICE credentials."""

    def __init__(self):
        self.session = secrets.randbelow(1 << 62)
        self.version = 1
        self.fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
        self.restart()

    def restart(self) -> "Offer":
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.version += 1
        return self

    @property
    def sdp(self) -> str:
        head = (f"v=0\no=- {self.session} {self.version} IN IP4 127.0.0.1\ns=-\nt=0 0\n"
                "a=group:BUNDLE 0 1\na=msid-semantic: WMS\n")
        body = "".join(
            SECTION.format(kind=kind, formats=formats, mid=mid, codecs=codecs, ufrag=self.ufrag, pwd=self.pwd,
                           fingerprint=self.fingerprint)
            for mid, (kind, formats, codecs) in enumerate([("video", "96 97", VIDEO), ("audio", "111", AUDIO)]))
        return (head + body).replace("\n", "\r\n")

    def fragment(self, *lines: str) -> str:
        """The body of a WHEP PATCH: credentials and candidate lines."""
        return "\r\n".join([f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.pwd}", "m=video 9 UDP/TLS/RTP/SAVPF 0",
                            "a=mid:0", *lines]) + "\r\n"
