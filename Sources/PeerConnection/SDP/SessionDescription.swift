/// One `a=` line: a name, and a value after the colon where there is one.
package struct SDPAttribute: Equatable, Sendable {
    package var name: String
    package var value: String?

    package init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// A session description as a tree of lines. What the attributes mean is read by the accessors of ``MediaDescription``.
/// - SeeAlso: [RFC 8866 §5](https://www.rfc-editor.org/rfc/rfc8866#section-5)
package struct SessionDescription: Equatable, Sendable {
    /// `o=`: who made the description. The session id stays while a peer connection lives, the version counts its descriptions.
    package struct Origin: Equatable, Sendable {
        package var userName: String
        package var sessionID: String
        package var sessionVersion: String
        package var address: String

        package init(
            userName: String = "-", sessionID: String, sessionVersion: String, address: String = "IN IP4 127.0.0.1"
        ) {
            self.userName = userName
            self.sessionID = sessionID
            self.sessionVersion = sessionVersion
            self.address = address
        }
    }

    package var origin: Origin
    package var sessionName: String
    package var attributes: [SDPAttribute]
    package var media: [MediaDescription]

    package init(
        origin: Origin, sessionName: String = "-", attributes: [SDPAttribute] = [], media: [MediaDescription] = []
    ) {
        self.origin = origin
        self.sessionName = sessionName
        self.attributes = attributes
        self.media = media
    }

    /// The description as it travels: lines end in CR LF.
    package var text: String {
        var lines = [
            "v=0",
            "o=\(origin.userName) \(origin.sessionID) \(origin.sessionVersion) \(origin.address)",
            "s=\(sessionName)",
            "t=0 0",
        ]
        lines += attributes.map(Self.line)
        for section in media {
            let formats = section.formats.joined(separator: " ")
            lines.append("m=\(section.media) \(section.port) \(section.transportProtocol) \(formats)")
            if let connection = section.connection { lines.append("c=\(connection)") }
            lines += section.attributes.map(Self.line)
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    /// The media identifications of the BUNDLE group; empty without one.
    /// - SeeAlso: [RFC 9143 §7](https://www.rfc-editor.org/rfc/rfc9143#section-7)
    package var bundle: [String] {
        for attribute in attributes where attribute.name == "group" {
            let words = attribute.value?.split(separator: " ").map(String.init) ?? []
            if words.first == "BUNDLE" { return Array(words.dropFirst()) }
        }
        return []
    }

    private static func line(_ attribute: SDPAttribute) -> String {
        guard let value = attribute.value else { return "a=\(attribute.name)" }
        return "a=\(attribute.name):\(value)"
    }
}

/// One `m=` section.
/// - SeeAlso: [RFC 8866 §5.14](https://www.rfc-editor.org/rfc/rfc8866#section-5.14)
package struct MediaDescription: Equatable, Sendable {
    /// `audio`, `video`, `application` or a word that we do not know.
    package var media: String
    /// 0: refused, or bundle-only in an offer.
    package var port: UInt16
    /// `UDP/TLS/RTP/SAVPF`, `UDP/DTLS/SCTP`…
    package var transportProtocol: String
    /// RTP payload types, or `webrtc-datachannel`.
    package var formats: [String]
    /// `c=`, for example `IN IP4 0.0.0.0`.
    package var connection: String?
    package var attributes: [SDPAttribute]

    package init(
        media: String, port: UInt16, transportProtocol: String, formats: [String], connection: String? = nil,
        attributes: [SDPAttribute] = []
    ) {
        self.media = media
        self.port = port
        self.transportProtocol = transportProtocol
        self.formats = formats
        self.connection = connection
        self.attributes = attributes
    }
}
