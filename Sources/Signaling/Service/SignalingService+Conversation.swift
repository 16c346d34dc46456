internal import Conversation
internal import Core
internal import MediaPipeline

/// What is asked and said on an audience's stage, whichever way it came.
extension SignalingService {
    /// A question. Without a viewer the answer is text alone.
    func ask(_ text: String, on audience: Audience) async throws(StageFailure) {
        let (stage, _) = try await openStage(for: audience, avatarID: nil)
        try await media.ask(text, isAloud: viewerCount(on: audience) > 0, on: stage)
    }

    func ask(recording: [UInt8], on audience: Audience) async throws(StageFailure) {
        let (stage, _) = try await openStage(for: audience, avatarID: nil)
        try await media.ask(recording: recording, isAloud: viewerCount(on: audience) > 0, on: stage)
    }

    /// Says something as it is. Everybody who is connected is told the words.
    func say(_ speech: SpeechRequest, on audience: Audience) async throws(StageFailure) -> UtteranceID {
        let (stage, _) = try await openStage(for: audience, avatarID: nil)
        switch speech {
        case .text(let text):
            // Refused texts are told to nobody, and the words come before their sound.
            let utterance = try await media.say(text, on: stage)
            tell(audience, .textComplete(content: text, role: "assistant"))
            tell(audience, Self.generating)
            return utterance
        case .recording(let recording):
            return try await media.say(recording: recording, on: stage)
        }
    }

    /// Stops what is said; nothing where the stage is not open.
    func interrupt(_ audience: Audience) async -> [Interruption] {
        guard generation(of: audience) != nil else { return [] }
        return await media.interrupt(audience.stage)
    }

    private static var generating: ServerMessage {
        .processingStatus(status: "generating_audio_video", message: "Generating audio and video")
    }

    /// A message for every connection of an audience.
    private func tell(_ audience: Audience, _ message: ServerMessage) {
        for connection in connections.values where connection.audience == audience { connection.send(message) }
    }
}
