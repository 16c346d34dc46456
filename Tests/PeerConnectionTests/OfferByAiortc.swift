/// Offers as aiortc writes them, candidates embedded.
enum OfferByAiortc {
    /// 1.9.0: every section has credentials of its own.
    static let version19 = """
        v=0
        o=- 4004192729 4004192729 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS *
        m=video 54107 UDP/TLS/RTP/SAVPF 97 98 99 100 101 102
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=mid:0
        a=msid:aa95006e-33da-43d5-bf3b-c73c4e0d18be d61c2260-d62d-4ccd-9871-6c08172df6d8
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 3349871552 1531434859
        a=ssrc:3349871552 cname:902e2a94-99db-4403-be7e-ae7451105a4a
        a=ssrc:1531434859 cname:902e2a94-99db-4403-be7e-ae7451105a4a
        a=rtpmap:97 VP8/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 goog-remb
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=rtpmap:99 H264/90000
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 goog-remb
        a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:100 rtx/90000
        a=fmtp:100 apt=99
        a=rtpmap:101 H264/90000
        a=rtcp-fb:101 nack
        a=rtcp-fb:101 nack pli
        a=rtcp-fb:101 goog-remb
        a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:102 rtx/90000
        a=fmtp:102 apt=101
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 54107 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 58169 typ host
        a=end-of-candidates
        a=ice-ufrag:xqd0
        a=ice-pwd:DqY1pgKa1dZf6RpZQ6Jsih
        a=fingerprint:sha-256 FF:C2:51:EE:FC:F9:61:44:19:6D:C0:8F:B2:8C:25:09:AC:02:29:E8:8C:AD:E7:26:7A:CD:79:82:4E:6D:98:EA
        a=setup:actpass
        m=audio 39479 UDP/TLS/RTP/SAVPF 96 0 8
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:1
        a=msid:aa95006e-33da-43d5-bf3b-c73c4e0d18be eba90e78-af06-4ba1-9fad-15e53cf544b9
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:3623675618 cname:902e2a94-99db-4403-be7e-ae7451105a4a
        a=rtpmap:96 opus/48000/2
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 39479 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 44307 typ host
        a=end-of-candidates
        a=ice-ufrag:g0JY
        a=ice-pwd:0UqUbPOgrkZq7nYYFr9ysA
        a=fingerprint:sha-256 FF:C2:51:EE:FC:F9:61:44:19:6D:C0:8F:B2:8C:25:09:AC:02:29:E8:8C:AD:E7:26:7A:CD:79:82:4E:6D:98:EA
        a=setup:actpass
        """

    /// 1.16.0: one set of credentials, three fingerprints.
    static let version116 = """
        v=0
        o=- 4004192729 4004192729 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS *
        m=video 38051 UDP/TLS/RTP/SAVPF 97 98 99 100 101 102
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=mid:0
        a=msid:3e74164f-8a8d-40b8-9824-a5c8b6c251bb 6ecb4c54-b164-4823-9a46-51342e53ed66
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 3009068343 2627293900
        a=ssrc:3009068343 cname:3489ae13-97a2-4384-a0a1-30bd5a0f9b37
        a=ssrc:2627293900 cname:3489ae13-97a2-4384-a0a1-30bd5a0f9b37
        a=rtpmap:97 VP8/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 goog-remb
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=rtpmap:99 H264/90000
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 goog-remb
        a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:100 rtx/90000
        a=fmtp:100 apt=99
        a=rtpmap:101 H264/90000
        a=rtcp-fb:101 nack
        a=rtcp-fb:101 nack pli
        a=rtcp-fb:101 goog-remb
        a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:102 rtx/90000
        a=fmtp:102 apt=101
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 38051 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 35247 typ host
        a=end-of-candidates
        a=ice-ufrag:wiw9
        a=ice-pwd:xtkaLDr2P6lZp5k6T0LAnD
        a=fingerprint:sha-256 3A:A3:0D:09:71:EA:A7:C7:C3:93:83:C2:B6:73:EC:E8:C9:30:DD:76:F0:E1:AC:CB:C5:DA:54:A6:BB:91:3C:FC
        a=fingerprint:sha-384 6D:C0:44:1E:23:3D:92:19:29:D0:2B:DE:3D:1B:A1:69:D5:7D:63:77:01:91:1C:F1:E3:CC:5F:2F:1A:73:10:17:82:9C:54:21:E6:85:29:D3:CA:24:EA:68:32:2D:20:FA
        a=fingerprint:sha-512 90:EE:61:5B:AE:2F:08:86:48:EE:4D:E7:D9:74:EA:38:95:97:23:93:67:32:67:9F:64:C5:16:3C:D5:A8:DA:F5:B5:AB:AF:F2:BB:36:D0:69:87:31:97:47:AD:A3:C6:8F:18:24:ED:80:B5:88:FE:05:89:CD:50:21:77:01:29:BF
        a=setup:actpass
        m=audio 51101 UDP/TLS/RTP/SAVPF 96 9 0 8
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:1
        a=msid:3e74164f-8a8d-40b8-9824-a5c8b6c251bb afb1de2c-2246-41c6-b0fc-6d896922fe0c
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:607413803 cname:3489ae13-97a2-4384-a0a1-30bd5a0f9b37
        a=rtpmap:96 opus/48000/2
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 51101 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 52918 typ host
        a=end-of-candidates
        a=ice-ufrag:wiw9
        a=ice-pwd:xtkaLDr2P6lZp5k6T0LAnD
        a=fingerprint:sha-256 3A:A3:0D:09:71:EA:A7:C7:C3:93:83:C2:B6:73:EC:E8:C9:30:DD:76:F0:E1:AC:CB:C5:DA:54:A6:BB:91:3C:FC
        a=fingerprint:sha-384 6D:C0:44:1E:23:3D:92:19:29:D0:2B:DE:3D:1B:A1:69:D5:7D:63:77:01:91:1C:F1:E3:CC:5F:2F:1A:73:10:17:82:9C:54:21:E6:85:29:D3:CA:24:EA:68:32:2D:20:FA
        a=fingerprint:sha-512 90:EE:61:5B:AE:2F:08:86:48:EE:4D:E7:D9:74:EA:38:95:97:23:93:67:32:67:9F:64:C5:16:3C:D5:A8:DA:F5:B5:AB:AF:F2:BB:36:D0:69:87:31:97:47:AD:A3:C6:8F:18:24:ED:80:B5:88:FE:05:89:CD:50:21:77:01:29:BF
        a=setup:actpass
        """

    /// 1.9.0 with a microphone and a data channel in the old notation.
    static let legacyChannel = """
        v=0
        o=- 4004192729 4004192729 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS *
        m=audio 56789 UDP/TLS/RTP/SAVPF 96 0 8
        c=IN IP4 192.0.2.2
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:0
        a=msid:9b285d3d-2948-4610-adf4-c5408e4be11e 6e7d24b0-53da-4b06-a9fd-393c131dcb72
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:1071944139 cname:d7d9324a-47bd-4e73-af60-6ac652eb0a38
        a=rtpmap:96 opus/48000/2
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 56789 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 36176 typ host
        a=end-of-candidates
        a=ice-ufrag:yd1d
        a=ice-pwd:RTVGa4xA2ccDgqZiDzGrDR
        a=fingerprint:sha-256 CE:1C:78:4F:4B:9E:64:27:FF:8C:76:D6:DE:59:91:57:57:9B:07:7A:35:5D:35:1E:62:FD:6F:D9:D7:04:B0:9D
        a=setup:actpass
        m=application 54530 DTLS/SCTP 5000
        c=IN IP4 192.0.2.2
        a=mid:1
        a=sctpmap:5000 webrtc-datachannel 65535
        a=max-message-size:65536
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 54530 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 41187 typ host
        a=end-of-candidates
        a=ice-ufrag:UNa2
        a=ice-pwd:HN7AwlkGwcI2xapmpgKxMQ
        a=fingerprint:sha-256 CE:1C:78:4F:4B:9E:64:27:FF:8C:76:D6:DE:59:91:57:57:9B:07:7A:35:5D:35:1E:62:FD:6F:D9:D7:04:B0:9D
        a=setup:actpass
        """
}
