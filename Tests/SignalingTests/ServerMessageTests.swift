import Core
import MediaLoop
import Testing

@testable import Signaling

@Suite("Messages of the server")
struct ServerMessageTests {
    private let time = WallTime(secondsSince1970: 0)
    private let stamp = #""timestamp":"1970-01-01T00:00:00.000Z""#

    @Test("Each has exactly the fields of the protocol")
    func fields() {
        #expect(
            ServerMessage.answer(sdp: "v=0\r\n").text(at: time)
                == #"{"sdp":"v=0\r\n",\#(stamp),"type":"webrtc_answer"}"#)
        #expect(
            ServerMessage.candidate(CandidateLine(candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0))
                .text(at: time)
                == #"{"candidate":{"candidate":"candidate:1","sdpMLineIndex":0,"sdpMid":"0"},"type":"webrtc_ice_candidate"}"#
        )
        #expect(
            ServerMessage.state(.connected).text(at: time)
                == #"{"state":"connected",\#(stamp),"type":"webrtc_state"}"#)
        #expect(
            ServerMessage.error(content: "Invalid message format").text(at: time)
                == #"{"content":"Invalid message format",\#(stamp),"type":"error"}"#)
        #expect(
            ServerMessage.processingStatus(status: "generating_audio_video", message: "m").text(at: time)
                == #"{"message":"m","status":"generating_audio_video",\#(stamp),"type":"processing_status"}"#)
        #expect(
            ServerMessage.textComplete(content: "c", role: "assistant").text(at: time)
                == #"{"content":"c","role":"assistant",\#(stamp),"type":"text_complete"}"#)
        #expect(
            ServerMessage.speechFinished(UtteranceID("u1"), playbackPosition: .milliseconds(1234), isInterrupted: true)
                .text(at: time)
                == #"{"interrupted":true,"playback_position_ms":1234,\#(stamp),"type":"speech_finished","utterance_id":"u1"}"#
        )
        #expect(
            ServerMessage.hello(sessionID: "s").text(at: time) == #"{"session_id":"s","type":"hello","version":1}"#)
        #expect(
            ServerMessage.hello(sessionID: nil).text(at: time) == #"{"session_id":null,"type":"hello","version":1}"#)
    }
}
