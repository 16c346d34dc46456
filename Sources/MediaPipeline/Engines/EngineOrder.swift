internal import Core

/// What the server says to an engine (docs/protocols/engine.md, "Server to engine").
package enum EngineOrder: Equatable, Sendable {
    case welcome(server: String)
    case attach(session: String, avatar: String, epoch: Int, framesPerSecond: Int, width: Int, height: Int)
    case detach(session: String)
    /// Mono samples at 16 kHz, at most one second.
    case speech(EngineUtterance, firstSample: Int64, idlePosition: Int, samples: [Int16])
    case end(EngineUtterance, samples: Int64)
    case clear(session: String, epoch: Int)
    case credit(session: String, frames: Int)
    case playing(EngineUtterance, sample: Int64)
    case idleRequest(avatar: String, indices: [Int])
    case prepare(avatar: String, videoPath: String, appliesBlur: Bool)
    case ping(id: Int64)
    case refused(EngineRefusal)
    case shutdown

    /// The parts to be sent: header, and payload where there is one.
    package var parts: [[UInt8]] {
        let header = Array(JSONValue.object(members).text.utf8)
        guard case .speech(_, _, _, let samples) = self else { return [header] }
        var payload: [UInt8] = []
        payload.reserveCapacity(samples.count * 2)
        for sample in samples {
            payload.append(UInt8(truncatingIfNeeded: sample))
            payload.append(UInt8(truncatingIfNeeded: sample >> 8))
        }
        return [header, payload]
    }

    private var members: [String: JSONValue] {
        switch self {
        case .welcome(let server):
            return ["type": "welcome", "version": 1, "server": .string(server)]
        case .attach(let session, let avatar, let epoch, let framesPerSecond, let width, let height):
            return [
                "type": "attach", "session": .string(session), "avatar": .string(avatar), "epoch": JSONValue(epoch),
                "fps": JSONValue(framesPerSecond), "width": JSONValue(width), "height": JSONValue(height),
            ]
        case .detach(let session):
            return ["type": "detach", "session": .string(session)]
        case .speech(let place, let firstSample, let idlePosition, _):
            return members("speech", of: place).merging([
                "first_sample": .integer(firstSample), "idle_position": JSONValue(idlePosition),
            ]) { old, _ in old }
        case .end(let place, let samples):
            return members("end", of: place).merging(["samples": .integer(samples)]) { old, _ in old }
        case .clear(let session, let epoch):
            return ["type": "clear", "session": .string(session), "epoch": JSONValue(epoch)]
        case .credit(let session, let frames):
            return ["type": "credit", "session": .string(session), "frames": JSONValue(frames)]
        case .playing(let place, let sample):
            return members("playing", of: place).merging(["sample": .integer(sample)]) { old, _ in old }
        case .idleRequest(let avatar, let indices):
            return [
                "type": "idle_request", "avatar": .string(avatar), "indices": .array(indices.map { JSONValue($0) }),
            ]
        case .prepare(let avatar, let videoPath, let appliesBlur):
            return [
                "type": "prepare", "avatar": .string(avatar), "video_path": .string(videoPath),
                "apply_blur": .boolean(appliesBlur),
            ]
        case .ping(let id):
            return ["type": "ping", "id": .integer(id)]
        case .refused(let refusal):
            return members(of: refusal)
        case .shutdown:
            return ["type": "shutdown"]
        }
    }

    private func members(_ type: String, of place: EngineUtterance) -> [String: JSONValue] {
        [
            "type": .string(type), "session": .string(place.session), "epoch": JSONValue(place.epoch),
            "utterance": .string(place.utterance),
        ]
    }

    private func members(of refusal: EngineRefusal) -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "type": "refused", "what": .string(refusal.what), "code": .string(refusal.code),
            "reason": .string(refusal.reason),
        ]
        if let session = refusal.session { members["session"] = .string(session) }
        if let avatar = refusal.avatar { members["avatar"] = .string(avatar) }
        if let retryAfter = refusal.retryAfter {
            members["retry_after_ms"] = .integer(retryAfter.nanoseconds / 1_000_000)
        }
        return members
    }
}
