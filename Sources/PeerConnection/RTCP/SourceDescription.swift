internal import Core

/// SDES: who the streams belong to. The CNAME ties sound and picture together for lip synchronisation.
/// - SeeAlso: [RFC 3550 §6.5](https://www.rfc-editor.org/rfc/rfc3550#section-6.5)
package struct SourceDescription: Equatable, Sendable {
    package struct Chunk: Equatable, Sendable {
        package var ssrc: SSRC
        /// At most 255 bytes on the wire. Other items are skipped.
        package var cname: String?

        package init(ssrc: SSRC, cname: String?) {
            self.ssrc = ssrc
            self.cname = cname
        }
    }

    private static let endOfItems: UInt8 = 0
    private static let cnameItem: UInt8 = 1

    package var chunks: [Chunk]

    package init(chunks: [Chunk]) {
        self.chunks = chunks
    }

    init?(body: Span<UInt8>, count: Int) {
        var reader = ByteReader(body)
        chunks = []
        for _ in 0..<count {
            guard let source = reader.readUInt32() else { return nil }
            var chunk = Chunk(ssrc: SSRC(source), cname: nil)
            while true {
                guard let item = reader.readUInt8() else { return nil }
                if item == Self.endOfItems { break }
                guard let length = reader.readUInt8(), let text = reader.readBytes(Int(length)) else { return nil }
                if item == Self.cnameItem { chunk.cname = String(decoding: text, as: UTF8.self) }
            }
            while reader.offset % 4 != 0 {
                guard reader.skip(1) else { return nil }
            }
            chunks.append(chunk)
        }
    }

    func encode(into writer: inout ByteWriter) {
        for chunk in chunks.prefix(31) {
            writer.write(chunk.ssrc.value)
            if let cname = chunk.cname {
                let text = cname.utf8.prefix(255)
                writer.write(Self.cnameItem)
                writer.write(UInt8(clamping: text.count))
                writer.write(text)
            }
            writer.write(Self.endOfItems)
            writer.pad(to: 4)
        }
    }
}

/// BYE: these streams end.
/// - SeeAlso: [RFC 3550 §6.6](https://www.rfc-editor.org/rfc/rfc3550#section-6.6)
package struct Goodbye: Equatable, Sendable {
    package var sources: [SSRC]
    package var reason: String?

    package init(sources: [SSRC], reason: String? = nil) {
        self.sources = sources
        self.reason = reason
    }

    init?(body: Span<UInt8>, count: Int) {
        var reader = ByteReader(body)
        sources = []
        for _ in 0..<count {
            guard let source = reader.readUInt32() else { return nil }
            sources.append(SSRC(source))
        }
        guard let length = reader.readUInt8() else { return }
        guard let text = reader.readBytes(Int(length)) else { return nil }
        reason = String(decoding: text, as: UTF8.self)
    }

    func encode(into writer: inout ByteWriter) {
        for source in sources.prefix(31) { writer.write(source.value) }
        guard let reason else { return }
        let text = reason.utf8.prefix(255)
        writer.write(UInt8(clamping: text.count))
        writer.write(text)
    }
}
