import Core

@testable import TURNClient

/// The codec over arrays: `#expect` cannot hold a span.
extension STUNMessage {
    init(_ bytes: [UInt8]) throws(STUNParseError) { try self.init(bytes.span) }
    static func isSTUN(_ bytes: [UInt8]) -> Bool { isSTUN(bytes.span) }
    static func hasValidIntegrity(_ bytes: [UInt8], key: [UInt8]) -> Bool { hasValidIntegrity(bytes.span, key: key) }
    static func hasValidFingerprint(_ bytes: [UInt8]) -> Bool { hasValidFingerprint(bytes.span) }
}
