/// A synchronisation source: names one RTP stream within a session.
/// - SeeAlso: [RFC 3550 §3](https://www.rfc-editor.org/rfc/rfc3550#section-3)
package struct SSRC: Hashable, Sendable {
    package let value: UInt32

    package init(_ value: UInt32) {
        self.value = value
    }
}
