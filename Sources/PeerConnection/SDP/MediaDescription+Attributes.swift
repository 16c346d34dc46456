/// Which way media flows, seen from the side whose description it is.
/// - SeeAlso: [RFC 8866 §6.7](https://www.rfc-editor.org/rfc/rfc8866#section-6.7)
package enum MediaDirection: String, Equatable, Sendable {
    case sendReceive = "sendrecv"
    case sendOnly = "sendonly"
    case receiveOnly = "recvonly"
    case inactive

    package var sends: Bool { self == .sendReceive || self == .sendOnly }
    package var receives: Bool { self == .sendReceive || self == .receiveOnly }

    package init(sends: Bool, receives: Bool) {
        self = sends ? (receives ? .sendReceive : .sendOnly) : (receives ? .receiveOnly : .inactive)
    }
}

/// One `a=rtpmap`: what a payload type means.
struct RTPMap: Equatable {
    let payloadType: UInt8
    let encoding: String
    let clockRateHz: UInt32
    let channels: Int

    /// Encoding names are compared without case (RFC 8866 §6.6).
    func isCodec(_ name: String, clockRateHz rate: UInt32) -> Bool {
        encoding.lowercased() == name.lowercased() && clockRateHz == rate
    }
}

extension MediaDescription {
    /// `a=` lines with a value, by name.
    func values(_ name: String) -> [String] {
        attributes.compactMap { $0.name == name ? $0.value : nil }
    }

    func value(_ name: String) -> String? {
        attributes.first { $0.name == name }?.value
    }

    func has(_ name: String) -> Bool {
        attributes.contains { $0.name == name }
    }

    /// The media identification; nil where there is none.
    package var mid: String? { value("mid") }

    /// `sendrecv` where nothing is said.
    package var direction: MediaDirection {
        for attribute in attributes {
            if let direction = MediaDirection(rawValue: attribute.name) { return direction }
        }
        return .sendReceive
    }

    package var kind: MediaKind? {
        switch media {
        case "audio": .audio
        case "video": .video
        default: nil
        }
    }

    /// What each payload type of the `m=` line means, in the order of preference.
    ///
    /// Payload types that RTCP on the same port could be taken for are left out (RFC 5761 §4: 64…95).
    var rtpMaps: [RTPMap] {
        var described: [UInt8: RTPMap] = [:]
        for map in values("rtpmap").lazy.compactMap(Self.rtpMap) where described[map.payloadType] == nil {
            described[map.payloadType] = map
        }
        // Each payload type once: there are at most 128, however long the line is.
        return formats.compactMap { format in
            guard let type = UInt8(format), type < 64 || (96...127).contains(type) else { return nil }
            return described.removeValue(forKey: type)
        }
    }

    private static func rtpMap(_ value: String) -> RTPMap? {
        let words = value.split(separator: " ")
        guard words.count >= 2, let type = UInt8(words[0]) else { return nil }
        let parts = words[1].split(separator: "/")
        guard parts.count >= 2, let rate = UInt32(parts[1]) else { return nil }
        let channels = parts.count > 2 ? Int(parts[2]) ?? 1 : 1
        return RTPMap(payloadType: type, encoding: String(parts[0]), clockRateHz: rate, channels: channels)
    }

    /// The payload type of the RTX stream that repairs `payloadType`: the one whose `a=fmtp` says `apt=` that number.
    func retransmissionPayloadType(of payloadType: UInt8) -> UInt8? {
        var repairing: Set<UInt8> = []
        for value in values("fmtp") {
            guard let space = value.firstIndex(of: " "), let type = UInt8(value[..<space]) else { continue }
            for parameter in value[value.index(after: space)...].split(separator: ";")
            where trimmed(parameter).lowercased() == "apt=\(payloadType)" {
                repairing.insert(type)
            }
        }
        let repair = rtpMaps.first {
            $0.isCodec("rtx", clockRateHz: MediaKind.video.clockRateHz) && repairing.contains($0.payloadType)
        }
        return repair?.payloadType
    }

    /// What `a=fmtp` says of a payload type; nil where it says nothing.
    func formatParameters(_ payloadType: UInt8) -> Substring? {
        for attribute in attributes where attribute.name == "fmtp" {
            guard let value = attribute.value, let space = value.firstIndex(of: " "),
                UInt8(value[..<space]) == payloadType
            else { continue }
            return value[value.index(after: space)...]
        }
        return nil
    }

    /// The H.264 format of a payload type.
    func h264Format(_ payloadType: UInt8) -> H264Format {
        formatParameters(payloadType).map { H264Format(parameters: $0) } ?? .unspecified
    }

    /// Which feedback the peer takes for a payload type: `nack`, `nack pli`, `ccm fir`…
    func feedback(_ payloadType: UInt8) -> Set<String> {
        var kinds: Set<String> = []
        for value in values("rtcp-fb") {
            guard let space = value.firstIndex(of: " ") else { continue }
            let type = value[..<space]
            if type == "*" || UInt8(type) == payloadType {
                kinds.insert(trimmed(value[value.index(after: space)...]).lowercased())
            }
        }
        return kinds
    }

    /// The numbers of the header extensions that we know. Numbers that the one-byte form cannot carry are left out.
    var headerExtensions: RTPHeaderExtensionIDs {
        var ids = RTPHeaderExtensionIDs()
        for value in values("extmap") {
            let words = value.split(separator: " ")
            // `id` or `id/direction`
            guard words.count >= 2, let number = words[0].split(separator: "/").first, let id = UInt8(number),
                (1...14).contains(id), let known = RTPHeaderExtension(rawValue: String(words[1])), ids[known] == nil
            else { continue }
            ids[known] = id
        }
        return ids
    }

    /// The sources that the section announces, in order, each once; bounded, whatever the peer wrote.
    var sources: [SSRC] {
        var sources: [SSRC] = []
        for value in values("ssrc") {
            guard let word = value.split(separator: " ").first, let number = UInt32(word) else { continue }
            let source = SSRC(number)
            if !sources.contains(source) { sources.append(source) }
            if sources.count == Self.maximumSources { break }
        }
        return sources
    }

    private static var maximumSources: Int { 32 }

    /// Which source repairs which, by `a=ssrc-group:FID`.
    var retransmissionSources: [SSRC: SSRC] {
        var pairs: [SSRC: SSRC] = [:]
        for value in values("ssrc-group") {
            let words = value.split(separator: " ")
            guard words.count == 3, words[0] == "FID", let media = UInt32(words[1]), let repair = UInt32(words[2]),
                pairs.count < Self.maximumSources
            else { continue }
            pairs[SSRC(media)] = SSRC(repair)
        }
        return pairs
    }

    /// The canonical name that the first of the sources carries.
    var cname: String? {
        for value in values("ssrc") {
            let words = value.split(separator: " ", maxSplits: 1)
            if words.count == 2, words[1].hasPrefix("cname:") { return String(words[1].dropFirst(6)) }
        }
        return nil
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
