import Conversation
import Core
import MediaLoop
import MediaPipeline
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
            ServerMessage.textStream(token: "t ").text(at: time)
                == #"{"role":"assistant",\#(stamp),"token":"t ","type":"text_stream"}"#)
        #expect(
            ServerMessage.transcription(content: "c").text(at: time)
                == #"{"content":"c","role":"user",\#(stamp),"type":"transcription"}"#)
        #expect(
            ServerMessage.activity(.listening).text(at: time)
                == #"{"state":"listening",\#(stamp),"type":"activity"}"#)
        #expect(
            ServerMessage.hello(sessionID: "s").text(at: time) == #"{"session_id":"s","type":"hello","version":1}"#)
        #expect(
            ServerMessage.hello(sessionID: nil).text(at: time) == #"{"session_id":null,"type":"hello","version":1}"#)
    }

    @Test("A turn's times are counted from the end of the words, null where there was none")
    func turns() {
        let asked = Instant(nanoseconds: 1_000_000_000)
        var timeline = TurnTimeline(
            turn: TurnID(7), kind: .spoken, asked: asked, heard: asked + .milliseconds(700))
        timeline.transcript = asked + .microseconds(812_340)
        timeline.firstSound = asked + .milliseconds(950)
        timeline.servicesTook = .milliseconds(200)
        #expect(
            ServerMessage.turn(timeline).text(at: time)
                == #"{"first_sound_ms":950.0,"first_token_ms":null,"heard_ms":700.0,"kind":"spoken","#
                + #""server_share_ms":50.0,\#(stamp),"transcript_ms":812.3,"turn_id":"t7","type":"turn"}"#)
    }

    @Test("Everything of a conversation becomes a message, but who speaks into a microphone")
    func events() {
        func message(_ event: ConversationEvent) -> ServerMessage? { ServerMessage(event) }
        #expect(message(.userSpeaking(true)) == nil)
        #expect(message(.textStream("a")) == .textStream(token: "a"))
        #expect(message(.textComplete("a")) == .textComplete(content: "a", role: "assistant"))
        #expect(message(.transcription("a")) == .transcription(content: "a"))
        #expect(message(.activityChanged(.thinking)) == .activity(.thinking))
        #expect(message(.processing(status: "s", message: "m")) == .processingStatus(status: "s", message: "m"))
        #expect(
            message(.failed(BackendError(code: .timedOut, part: "voice", reason: "too slow", remedy: "wait")))
                == .error(content: "voice: too slow (wait)"))
    }
}
