extension EngineMessage {
    static let maximumEpoch = Int(Int32.max)
    /// Three hours at 16 kHz.
    static let maximumSample: Int64 = 172_800_000

    /// Reads a header; `payloadCounts` are the sizes of the parts that follow it.
    package static func parse(_ bytes: [UInt8], payloadCounts: [Int]) throws(EngineMessageError) -> EngineMessage {
        let header = try EngineHeader(parsing: bytes)
        let message = try parse(header)
        switch message.payloadRange {
        case nil where payloadCounts.isEmpty: break
        case .some(let range) where payloadCounts.count == 1:
            guard range.contains(payloadCounts[0]) else {
                throw EngineMessageError(
                    code: .wrongSize, type: header.type, reason: "a payload of \(payloadCounts[0]) bytes")
            }
        default: throw header.failure("\(payloadCounts.count) payloads")
        }
        return message
    }

    /// Bytes that its payload may have; nil: there is none.
    private var payloadRange: ClosedRange<Int>? {
        switch self {
        case .frame(let frame):
            if case .idle = frame.kind { nil } else { 1...(16 << 20) }
        case .audio: 2...96_000
        case .idlePicture: 1...(16 << 20)
        default: nil
        }
    }

    private static func parse(_ header: EngineHeader) throws(EngineMessageError) -> EngineMessage {
        switch header.type {
        case "hello":
            return .hello(try hello(header))
        case "frame":
            return .frame(try frame(header))
        case "utterance_done":
            return .utteranceDone(try utterance(header))
        case "audio":
            let rate = try header.integer("rate", in: 16_000...48_000)
            guard [16_000, 24_000, 48_000].contains(rate) else {
                throw header.failure("rate is not 16000, 24000 or 48000")
            }
            return .audio(
                try utterance(header), firstSample: try header.integer("first_sample", in: 0...maximumSample * 3),
                rateHz: rate)
        case "idle_picture":
            return .idlePicture(
                avatar: try header.avatar("avatar"),
                index: try header.integer("index", in: 0...EngineAvatarDescription.idleCountRange.upperBound - 1))
        case "cleared":
            return .cleared(
                session: try header.identifier("session"), epoch: try header.integer("epoch", in: 0...maximumEpoch))
        case "statistics":
            return .statistics(try statistics(header))
        case "pong":
            return .pong(id: try header.integer("id", in: 0...Int64.max))
        case "prepare_progress":
            return .prepareProgress(
                avatar: try header.avatar("avatar"), progress: try header.number("progress", in: 0...1))
        case "prepared":
            return .prepared(try header.descriptions("avatar", isArray: false)[0])
        case "refused":
            return .refused(try refusal(header))
        case "bye":
            return .bye(reason: try header.optionalText("reason") ?? "")
        default:
            throw EngineMessageError(
                code: .unsupported, type: header.type, reason: "the server knows no such message of an engine")
        }
    }

    private static func hello(_ header: EngineHeader) throws(EngineMessageError) -> EngineHello {
        let version = try header.integer("version", in: Int64.min...Int64.max)
        guard version == 1 else {
            throw EngineMessageError(
                code: .version, type: header.type, reason: "version \(version); the server speaks version 1")
        }
        let engine = try header.text("engine")
        guard (1...64).contains(engine.utf8.count) else { throw header.failure("engine is not 1 to 64 bytes") }
        return EngineHello(
            engine: engine, token: try header.optionalText("token"),
            avatars: try header.descriptions("avatars", isArray: true),
            providesAudio: try header.boolean("provides_audio", default: false),
            offset: .milliseconds(try header.integer("av_offset_ms", in: Int64(-1000)...1000, default: 0)),
            lookahead: .milliseconds(try header.integer("lookahead_ms", in: Int64(0)...5000, default: 0)),
            batchSize: try header.integer("batch_size", in: 1...64, default: 1),
            canPrepare: try header.boolean("can_prepare", default: false))
    }

    private static func utterance(_ header: EngineHeader) throws(EngineMessageError) -> EngineUtterance {
        EngineUtterance(
            session: try header.identifier("session"), epoch: try header.integer("epoch", in: 0...maximumEpoch),
            utterance: try header.identifier("utterance"))
    }

    private static func frame(_ header: EngineHeader) throws(EngineMessageError) -> EngineFrameHeader {
        let lastIndex = EngineAvatarDescription.idleCountRange.upperBound - 1
        let kind: EngineFrameHeader.Kind
        switch try header.text("kind") {
        case "full":
            kind = .full
        case "idle":
            kind = .idle(idleIndex: try header.integer("idle_index", in: 0...lastIndex))
        case "patch":
            let patch = EnginePatch(
                x: try header.integer("x", in: 0...2158), y: try header.integer("y", in: 0...2158),
                width: try header.integer("width", in: 2...2160), height: try header.integer("height", in: 2...2160))
            guard (patch.x | patch.y | patch.width | patch.height) & 1 == 0 else {
                throw header.failure("x, y, width and height of a patch are not even")
            }
            kind = .patch(idleIndex: try header.integer("idle_index", in: 0...lastIndex), patch)
        default:
            throw header.failure("kind is not full, patch or idle")
        }
        return EngineFrameHeader(
            place: try utterance(header), firstSample: try header.integer("first_sample", in: 0...maximumSample),
            kind: kind, pixelFormat: try header.pixelFormat("pixel_format"))
    }

    private static func statistics(_ header: EngineHeader) throws(EngineMessageError) -> EngineStatistics {
        var gpu: Double?
        if header.has("gpu") { gpu = try header.number("gpu", in: 0...1) }
        return EngineStatistics(
            inferenceFramesPerSecond: try header.number("inference_fps", in: 0...1_000_000),
            queue: try header.integer("queue", in: 0...1_000_000), gpu: gpu)
    }

    private static func refusal(_ header: EngineHeader) throws(EngineMessageError) -> EngineRefusal {
        EngineRefusal(
            what: try header.text("what"), code: try header.text("code"), reason: try header.text("reason"),
            session: try header.optionalText("session"), avatar: try header.optionalText("avatar"))
    }
}

extension EngineFrameHeader {
    /// Checks it against the avatar that it claims to show, and its payload's size.
    func check(
        against avatar: EngineAvatarDescription, payloadCount: Int
    ) throws(EngineMessageError) {
        func fail(_ code: EngineMessageError.Code, _ reason: String) -> EngineMessageError {
            EngineMessageError(code: code, type: "frame", reason: reason)
        }
        let format = pixelFormat ?? avatar.pixelFormat
        var wanted = 0
        switch kind {
        case .full:
            wanted = format.byteCount(width: avatar.width, height: avatar.height)
        case .idle(let index):
            guard index < avatar.idleCount else { throw fail(.malformed, "idle_index \(index) is not in hello") }
        case .patch(let index, let patch):
            guard index < avatar.idleCount else { throw fail(.malformed, "idle_index \(index) is not in hello") }
            guard avatar.sendsPatches else { throw fail(.malformed, "hello promised no patches") }
            guard patch.x + patch.width <= avatar.width, patch.y + patch.height <= avatar.height else {
                throw fail(.malformed, "the patch reaches out of the picture")
            }
            wanted = format.byteCount(width: patch.width, height: patch.height)
        }
        guard payloadCount == wanted else {
            throw fail(.wrongSize, "a payload of \(payloadCount) bytes where \(wanted) are due")
        }
    }
}
