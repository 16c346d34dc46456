"""DTLS as the robot does it: client, version 1.2, one SRTP profile, and the peer's certificate compared with the last fingerprint only."""
from __future__ import annotations

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTP_AES128_CM_SHA1_80,
    SRTPProtectionProfile,
    certificate_digest,
)
from OpenSSL import SSL

from .ice import RobotIce


class RobotCertificate(RTCCertificate):
    """A certificate whose connections speak DTLS 1.2 at most."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_max_proto_version(DTLS_1_2)
        return context

    @property
    def fingerprint(self) -> str:
        """As an a=fingerprint value."""
        return "sha-256 " + certificate_digest(self._cert, "sha-256")


DTLS_1_2 = 0xFEFD


class RobotDtls(RTCDtlsTransport):
    """The robot's end; `start` succeeds whatever the peer's certificate is, as the SDK looks at it only afterwards."""

    def __init__(self, ice: RobotIce, certificate: RobotCertificate) -> None:
        super().__init__(ice, [certificate])  # type: ignore[arg-type]
        self._srtp_profiles = [SRTP_AES128_CM_SHA1_80]
        self._set_role("client")

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:
        pass

    async def handshake(self) -> bool:
        """Whether the handshake was completed."""
        await self.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint("sha-256", "")]))
        return self.state == "connected"

    def peer_matches(self, fingerprint: str) -> bool:
        """The SDK's test: the first 8 characters ("sha-256 ") are dropped unread and the rest is compared with the SHA-256 digest.
        A sha-384 or sha-512 line therefore never matches."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        return fingerprint[8:].strip().upper() == certificate_digest(certificate, "sha-256")
