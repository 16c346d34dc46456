/// What a Go2 answers (go2.md 2.2): the order of its attributes, its quirks and its line endings; numbers, names and the audio section
/// are ours.
enum RobotAnswer {
    static let fragment = "0FGx"
    static let password = "Sx7hJq0nVv2cT9dKkPzWmLrB"
    static let fingerprint =
        "1B:4F:9A:03:77:C2:5E:E1:0D:92:68:AC:3B:F0:14:85:D7:66:2A:9E:58:C1:7F:00:43:B9:EE:25:91:0A:DC:36"

    /// To an offer of video and data channels; the published one.
    static let camera = """
        v=0
        o=- 1274938561 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic: WMS myKvsVideoStream
        \(video(mid: "0"))
        \(application(mid: "1"))

        """

    /// To an offer of audio, video and data channels.
    static let whole = """
        v=0
        o=- 1274938561 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=msid-semantic: WMS myKvsVideoStream
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 127.0.0.1
        \(candidate)
        a=msid:unitreeMediaStream unitreeAudioTrack
        a=ssrc:2750314987 cname:s1l9dk2Ms81bPq04
        a=ssrc:2750314987 msid:unitreeMediaStream unitreeAudioTrack
        a=ssrc:2750314987 mslabel:unitreeMediaStream
        a=ssrc:2750314987 label:unitreeAudioTrack
        \(transport)
        a=mid:0
        a=sendrecv
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtcp-fb:111 nack
        a=rtcp-fb:111 goog-remb
        \(video(mid: "1"))
        \(application(mid: "2"))

        """

    private static let candidate =
        "a=candidate:0 1 udp 2130706431 192.168.2.113 48890 typ host raddr 0.0.0.0 rport 0 generation 0 network-cost 999"
    private static let transport = """
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:\(fragment)
        a=ice-pwd:\(password)
        a=ice-options:trickle
        a=fingerprint:sha-256 \(fingerprint)
        a=setup:active
        """

    private static func video(mid: String) -> String {
        """
        m=video 9 UDP/TLS/RTP/SAVPF 102
        c=IN IP4 127.0.0.1
        \(candidate)
        a=msid:unitreeMediaStream unitreeVideoTrack
        a=ssrc:3018462075 cname:s1l9dk2Ms81bPq04
        a=ssrc:3018462075 msid:unitreeMediaStream unitreeVideoTrack
        a=ssrc:3018462075 mslabel:unitreeMediaStream
        a=ssrc:3018462075 label:unitreeVideoTrack
        \(transport)
        a=mid:\(mid)
        a=sendonly
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:102 H264/90000
        a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtcp-fb:102 nack
        a=rtcp-fb:102 goog-remb
        """
    }

    private static func application(mid: String) -> String {
        """
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 127.0.0.1
        \(candidate)
        \(transport)
        a=mid:\(mid)
        a=sctp-port:5000
        """
    }
}
