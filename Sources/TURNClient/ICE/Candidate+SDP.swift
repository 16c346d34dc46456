internal import Core

/// Why a candidate line is not used.
package enum CandidateParseError: Error, Hashable, Sendable {
    /// Nothing behind `candidate:`; browsers mean "end of candidates" by it.
    case empty
    case tooLong
    case missingField
    case foundation
    case component
    case transport
    case priority
    case address
    case port
    case type
    case malformedExtension
    /// A `.local` name: the browser hides its host address, and its checks will show a peer-reflexive one. Not an error
    /// of the sender: ignore the candidate ([draft-ietf-mmusic-mdns-ice-candidates](https://datatracker.ietf.org/doc/html/draft-ietf-mmusic-mdns-ice-candidates)).
    case mdnsName
    /// A host name. We resolve none: who sends one would make us ask a name server of their choice.
    case hostName
}

extension Candidate {
    /// The longest line that is read. The longest that a browser writes is about 200 bytes.
    package static let longestLine = 512

    /// Reads `candidate:…`, with or without `a=` or `candidate:` in front.
    ///
    /// ```
    /// candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.2 rport 46154 generation 0 ufrag EsAw
    /// foundation component transport priority address port typ type [raddr address rport port] *(name value)
    /// ```
    package init(sdp line: String) throws(CandidateParseError) {
        guard line.utf8.count <= Self.longestLine else { throw .tooLong }
        var text = Substring(line)
        while text.last?.isWhitespace == true { text.removeLast() }
        if text.hasPrefix("a=") { text.removeFirst(2) }
        if text.hasPrefix("candidate:") { text.removeFirst(10) }
        let fields = text.split(separator: " ", omittingEmptySubsequences: true)
        guard !fields.isEmpty else { throw .empty }
        guard fields.count >= 8 else { throw .missingField }

        guard Self.isFoundation(fields[0]) else { throw .foundation }
        guard let component = UInt16(fields[1]), (1...256).contains(component) else { throw .component }
        let transport: Transport
        switch fields[2].lowercased() {
        case "udp": transport = .udp
        case "tcp": transport = .tcp
        default: throw .transport
        }
        guard let priority = UInt32(fields[3]), (1...UInt32(Int32.max)).contains(priority) else { throw .priority }
        guard let port = UInt16(fields[5]) else { throw .port }
        let ip = try Self.address(fields[4])
        guard fields[6] == "typ", let type = Kind(rawValue: String(fields[7])) else { throw .type }

        self.init(
            foundation: String(fields[0]), component: component, transport: transport, priority: priority,
            address: SocketAddress(ip, port), type: type)
        try readExtensions(fields[8...])
    }

    /// Pairs of a name and a value. Those that we do not know are skipped (RFC 8839 §5.1).
    private mutating func readExtensions(_ fields: ArraySlice<Substring>) throws(CandidateParseError) {
        guard fields.count.isMultiple(of: 2) else { throw .malformedExtension }
        var relatedIP: IPAddress?
        var relatedPort: UInt16?
        var index = fields.startIndex
        while index < fields.endIndex {
            let value = fields[index + 1]
            switch fields[index] {
            // Browsers hide the related address behind 0.0.0.0 or a name; it is for diagnostics only.
            case "raddr": relatedIP = IPAddress(value)
            case "rport": relatedPort = UInt16(value)
            case "ufrag":
                guard ICEUsername.isFragment(value) else { throw .malformedExtension }
                usernameFragment = String(value)
            default: break
            }
            index += 2
        }
        if let relatedIP, let relatedPort { relatedAddress = SocketAddress(relatedIP, relatedPort) }
    }

    private static func address(_ text: Substring) throws(CandidateParseError) -> IPAddress {
        if let ip = IPAddress(text) { return ip.unmapped }
        let name = text.lowercased()
        if name.hasSuffix(".local") || name.hasSuffix(".local.") { throw .mdnsName }
        // A name has a letter and no colon; all else is an address written wrongly.
        guard !name.contains(":"), name.utf8.contains(where: { (0x61...0x7A).contains($0) }) else { throw .address }
        throw .hostName
    }

    private static func isFoundation(_ text: Substring) -> Bool {
        (1...32).contains(text.utf8.count) && text.utf8.allSatisfy(ICEUsername.isICECharacter)
    }

    /// The attribute's value, `candidate:…`, as it stands in SDP behind `a=` and in a trickled candidate.
    package var sdp: String {
        var line = "candidate:\(foundation) \(component) \(transport == .udp ? "udp" : "tcp") \(priority)"
        line += " \(address.ip) \(address.port) typ \(type.rawValue)"
        if let relatedAddress { line += " raddr \(relatedAddress.ip) rport \(relatedAddress.port)" }
        if let usernameFragment { line += " ufrag \(usernameFragment)" }
        return line
    }
}
