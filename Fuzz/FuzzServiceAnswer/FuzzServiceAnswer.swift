import Core

@testable import Conversation

/// What a service answers: event streams and chat messages, sound with and without a WAV header, transcriptions, errors.
///
/// The first byte says in pieces of which size the rest arrives; the result must not depend on it.
@c(LLVMFuzzerTestOneInput)
package func fuzzServiceAnswer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = input.first else { return 0 }
    let bytes = Array(input.dropFirst())
    let size = Int(first % 64) + 1

    for type in ["text/event-stream", "application/json", nil] {
        let whole = chat(bytes, in: bytes.count + 1, type)
        let pieces = chat(bytes, in: size, type)
        precondition(whole == pieces, "an answer depends on how it was cut")
    }
    let whole = sound(bytes, in: bytes.count + 1)
    let pieces = sound(bytes, in: size)
    precondition(whole == pieces, "sound depends on how it was cut")
    _ = try? OpenAITranscription.text(bytes)
    _ = ServiceExcerpt.errorMessage(bytes)
    let excerpt = ServiceExcerpt.clean(bytes)
    precondition(excerpt.unicodeScalars.count <= ServiceExcerpt.maximumLength + 1, "a long excerpt")
    precondition(excerpt.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "a control character")
    return 0
}

private func cut(_ bytes: [UInt8], _ size: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
}

/// The text; nil where the answer is refused, whenever that was found.
private func chat(_ bytes: [UInt8], in size: Int, _ mediaType: String?) -> String? {
    var reader = ChatAnswerReader(mediaType: mediaType, maximumTextBytes: 1 << 16)
    var text = ""
    do {
        for piece in cut(bytes, size) where !reader.isOver { text += try reader.append(piece) }
        return text + (try reader.finish())
    } catch {
        return nil
    }
}

private func sound(_ bytes: [UInt8], in size: Int) -> [Int16]? {
    var reader = SpeechSoundReader(mediaType: nil, rawRateHz: 24_000)
    do {
        var samples = try cut(bytes, size).flatMap { try reader.append($0).flatMap { $0 } }
        samples += try reader.finish().flatMap { $0 }
        return samples
    } catch {
        return nil
    }
}
