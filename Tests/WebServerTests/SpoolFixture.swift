import Testing

@testable import WebServer

private struct SpoolFailure: Error {}

/// Those bytes, as a large message of a client's.
func spooled(_ bytes: [UInt8]) throws -> SpooledBytes {
    guard var file = SpoolFile(directory: "/tmp", budget: SpoolBudget(limit: .max)),
        bytes.withUnsafeBytes({ file.append($0) })
    else { throw SpoolFailure() }
    let spooled = file.finish()
    return try #require(spooled)
}

func spooled(_ text: String) throws -> SpooledBytes { try spooled(Array(text.utf8)) }

func spooledSlice(_ text: String) throws -> SpooledSlice {
    let bytes = try spooled(text)
    return SpooledSlice(bytes, 0..<bytes.count)
}

extension SpooledSlice {
    var text: String { String(decoding: bytes[range], as: UTF8.self) }
}
