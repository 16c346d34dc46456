import Core
import PeerConnection

private let transport = CertificateFingerprint(algorithm: .sha256, digest: Array(0..<32)).map {
    LocalTransport(usernameFragment: "ours", password: "ourpasswordourpassword", fingerprint: $0)
}

/// Any text, as an offer and as an answer: what parses is written and read back to the same description, and what is agreed to is
/// answered with as many sections.
@c(LLVMFuzzerTestOneInput)
package func fuzzSDP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    guard let transport, let description = try? SessionDescription(text) else { return 0 }
    let written = description.text
    if written.utf8.count <= SessionDescription.maximumLength {
        precondition((try? SessionDescription(written)) == description, "a description changed on its way")
    }
    for capabilities in [
        MediaCapabilities(), MediaCapabilities(receivesVideo: true, usesTransportFeedback: true),
        MediaCapabilities(sendsVideo: false, sendsAudio: false),
        MediaCapabilities(
            receivesVideo: true, videoCodecs: [.h264, .vp8], offersRetransmission: false,
            dataChannels: DataChannelLimits()),
    ] {
        var answerer = OfferAnswer(capabilities: capabilities, random: .seeded(1))
        if let session = try? answerer.review(description) {
            precondition(session.sections.contains { $0.index != nil }, "agreed to nothing")
            let answer = answerer.answer(description, agreed: session, transport: transport)
            precondition(answer.media.count == description.media.count, "a section went lost")
            guard (try? SessionDescription(answer.text)) == answer else {
                preconditionFailure("our own answer is refused")
            }
            _ = try? answerer.review(description)
        }
        var offerer = OfferAnswer(capabilities: capabilities, random: .seeded(1))
        guard capabilities.sendsVideo else { continue }
        _ = offerer.offer(transport: transport)
        _ = try? offerer.accept(description)
    }
    return 0
}
