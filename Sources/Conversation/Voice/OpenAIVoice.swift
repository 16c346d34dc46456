internal import Core
package import MediaPipeline
package import Networking

/// Text-to-speech behind an OpenAI-compatible `/audio/speech`. No phones are known, so the lips follow the sound.
package struct OpenAIVoice: Voice {
    /// Two minutes of 16 bits at 48 kHz, two channels.
    private static let maximumAnswerBytes = 24 << 20
    /// What raw PCM of these services has.
    private static let rawRateHz = 24_000

    private let endpoint: ServiceEndpoint
    private let voice: String
    private let format: Format
    private let client: HTTPClient

    /// What the service is asked for; either is understood whatever was asked for.
    package enum Format: String, Sendable {
        /// 16 bits at 24 kHz, raw.
        case pcm
        /// 16 bits at the rate that the header tells.
        case wav
    }

    /// - Parameter voice: the service's name for it: `alloy`, `af_bella`.
    package init(access: ServiceAccess, voice: String, format: Format = .pcm, client: HTTPClient = .shared) {
        endpoint = ServiceEndpoint(
            access: access, part: "voice", path: "/audio/speech", maximumAnswerBytes: Self.maximumAnswerBytes)
        self.voice = voice
        self.format = format
        self.client = client
    }

    package var name: String { "\(voice) of \(endpoint.access.name)" }

    package func synthesise(_ sentence: String) -> AsyncThrowingStream<SpokenPart, any Error> {
        let (stream, continuation) = AsyncThrowingStream<SpokenPart, any Error>.makeStream()
        let task = Task {
            do throws(BackendError) {
                try await speak(sentence) { continuation.yield(SpokenPart(samples: $0, visemes: nil)) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func speak(_ sentence: String, _ say: ([Int16]) -> Void) async throws(BackendError) {
        let body: JSONValue = [
            "model": .string(endpoint.access.model), "voice": .string(voice), "input": .string(sentence),
            "response_format": .string(format.rawValue),
        ]
        let request = endpoint.request(
            Array(body.text.utf8), contentType: "application/json", accept: "audio/pcm, audio/wav")
        let answer = try await ServiceAnswer.begin(request, at: endpoint, by: client)
        var reader = SpeechSoundReader(mediaType: answer.headers.mediaType, rawRateHz: Self.rawRateHz)
        while let bytes = try await answer.next() {
            for part in try endpoint.reading({ () throws(ServiceAnswerFault) in try reader.append(bytes) }) {
                say(part)
            }
        }
        for part in try endpoint.reading({ () throws(ServiceAnswerFault) in try reader.finish() }) { say(part) }
    }
}
