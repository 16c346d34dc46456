import MediaLoop
import Testing

@testable import Signaling

@Suite("Messages of the client")
struct ClientMessageTests {
    private func parse(_ text: String, isSessionless: Bool = false) -> Result<ClientMessage, ClientMessageError> {
        Result { () throws(ClientMessageError) in
            try ClientMessage.parse(Array(text.utf8), isSessionless: isSessionless)
        }
    }

    private func complaint(_ text: String, isSessionless: Bool = false) -> String? {
        guard case .failure(let error) = parse(text, isSessionless: isSessionless) else { return nil }
        return error.content
    }

    @Test("Every message of the protocol is understood")
    func understood() {
        #expect(parse(#"{"type":"init","avatar_id":"a"}"#) == .success(.setUp(avatarID: "a")))
        #expect(
            parse(#"{"type":"webrtc_offer","sdp":"v=0","user_id":7,"avatar_id":"a","tutor_id":"3"}"#)
                == .success(.offer(.init(sdp: "v=0", userID: "7", avatarID: "a", tutorID: 3))))
        #expect(
            parse(
                #"{"type":"webrtc_ice_candidate","user_id":"u","candidate":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":1}}"#
            )
                == .success(
                    .candidate(
                        userID: "u", CandidateLine(candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 1))))
        #expect(
            parse(#"{"type":"text_webrtc","content":"hi","avatar_id":"a","user_id":"u","tutor_id":1}"#)
                == .success(.speak(.init(content: "hi", avatarID: "a", userID: "u", tutorID: 1))))
        #expect(
            parse(
                #"{"type":"text_webrtc","content":"hi","avatar_id":"a","user_id":"u","tutor_id":1,"verbatim":true}"#)
                == .success(.speak(.init(content: "hi", avatarID: "a", userID: "u", tutorID: 1, isVerbatim: true))))
        #expect(
            parse(#"{"type":"text","content":"hi","tutor_id":1}"#)
                == .success(.text(content: "hi", avatarID: nil, tutorID: 1)))
        #expect(
            parse(#"{"type":"audio","data":"AAEC","avatar_id":"a"}"#)
                == .success(.audio(recording: [0, 1, 2], avatarID: "a")))
        #expect(
            parse(#"{"type":"audio","data":"data:audio/webm;codecs=opus;base64,AAEC"}"#)
                == .success(.audio(recording: [0, 1, 2], avatarID: nil)))
        #expect(parse(#"{"type":"interrupt"}"#) == .success(.interrupt))
        #expect(parse(#"{"type":"restart_ice"}"#) == .success(.restartICE(userID: nil)))
        #expect(parse(#"{"type":"end_of_candidates","user_id":"u"}"#) == .success(.endOfCandidates(userID: "u")))
        #expect(parse(#"{"type":"ping"}"#) == .success(.ping))
        #expect(parse(#"{"type":"bye"}"#) == .success(.goodbye))
        #expect(parse(#"{"type":"hello","version":1}"#) == .success(.hello(version: 1)))
    }

    @Test("Complaints have the texts that the old clients know, in their order")
    func complaints() {
        #expect(complaint(#"{"type":"webrtc_offer"}"#) == "SDP offer is required")
        #expect(complaint(#"{"type":"webrtc_offer","sdp":""}"#) == "SDP offer is required")
        #expect(complaint(#"{"type":"webrtc_offer","sdp":"v=0"}"#) == "user_id is required for WebRTC")
        #expect(complaint(#"{"type":"webrtc_ice_candidate"}"#) == "ICE candidate is required")
        #expect(complaint(#"{"type":"webrtc_ice_candidate","candidate":null}"#) == "ICE candidate is required")
        #expect(
            complaint(#"{"type":"webrtc_ice_candidate","candidate":{"candidate":"x"}}"#)
                == "user_id is required for WebRTC")
        #expect(
            complaint(#"{"type":"text_webrtc","content":"hi","user_id":"u"}"#)
                == "avatar_id is required for WebRTC streaming")
        #expect(
            complaint(#"{"type":"text_webrtc","content":"hi","avatar_id":"a","user_id":"u"}"#, isSessionless: true)
                == "tutor_id is required in sessionless mode")
        #expect(
            complaint(#"{"type":"text","content":"hi"}"#, isSessionless: true)
                == "tutor_id is required in sessionless mode")
        #expect(complaint(#"{"type":"dance"}"#) == "Unsupported message type: dance")
        #expect(complaint(#"{"type":"audio"}"#) == "Audio data is required")
        #expect(complaint(#"{"type":"audio","data":"data:audio/webm;base64,"}"#) == "data is not base64")
        #expect(complaint(#"{"type":"audio","data":"no base64!"}"#) == "data is not base64")
    }

    @Test("What is no message is told apart from what is an unknown one")
    func invalidFormat() {
        for text in ["", "{", "[]", "7", "null", #"{"type":7}"#, #"{}"#, "\u{0}", #"{"type":"ping"}x"#] {
            #expect(complaint(text) == "Invalid message format", "\(text)")
        }
        let deep = #"{"type":"ping","x":"# + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(complaint(deep + "}") == "Invalid message format")
        // Brackets in text are no depth.
        #expect(parse(#"{"type":"ping","x":"[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[["}"#) == .success(.ping))
    }

    @Test("Long fields are refused, not cut")
    func limits() {
        let long = String(repeating: "x", count: 70_000)
        #expect(complaint(#"{"type":"webrtc_offer","user_id":"u","sdp":"\#(long)"}"#)?.contains("sdp") == true)
        #expect(complaint(#"{"type":"init","avatar_id":"\#(long)"}"#)?.contains("avatar_id") == true)
        #expect(
            complaint(#"{"type":"text","tutor_id":1,"content":"\#(long)"}"#)?.contains("content is longer") == true)
        let recording = String(repeating: "A", count: ClientMessageLimits.recording / 3 * 4 + 8)
        #expect(complaint(#"{"type":"audio","data":"\#(recording)"}"#) == "data is longer than 10485760 bytes")
        #expect(
            complaint(#"{"type":"text","tutor_id":1,"content":"\#(String(repeating: "x", count: 1 << 20))"}"#)
                == "content is longer than 8192 bytes")
        #expect(complaint(#"{"type":"\#(long)"}"#).map { $0.utf8.count < 100 } == true)
    }

    @Test("Numbers at the edges do not trap")
    func numbers() {
        for number in ["1e400", "-1e400", "9223372036854775808", "1.5", "-0", "1e18", "\"99999999999999999999999\""] {
            _ = parse(#"{"type":"text","content":"hi","tutor_id":\#(number)}"#)
            _ = parse(
                #"{"type":"webrtc_ice_candidate","user_id":\#(number),"candidate":{"candidate":"x","sdpMLineIndex":\#(number)}}"#
            )
        }
        #expect(
            parse(#"{"type":"text","content":"hi","tutor_id":2.0}"#)
                == .success(.text(content: "hi", avatarID: nil, tutorID: 2)))
    }
}
