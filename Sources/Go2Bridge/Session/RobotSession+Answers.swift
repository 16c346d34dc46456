internal import Core

/// An answer that comes in pieces: `data.content_info {enable_chunking, chunk_index 1…n, total_chunk_num n}`.
struct ChunkedAnswer: Sendable {
    let total: Int
    private(set) var count = 0
    private(set) var text = ""

    init(total: Int) {
        self.total = total
    }

    /// False where the piece is not the next one, or makes the answer longer than `limit` bytes.
    mutating func append(_ piece: String, index: Int, total: Int, limit: Int) -> Bool {
        guard total == self.total, index == count + 1, text.utf8.count + piece.utf8.count <= limit else { return false }
        text += piece
        count = index
        return true
    }

    var isWhole: Bool { count >= total }
}

extension RobotSession {
    /// `{"type":"res", "topic", "data": {"header": {"identity", "status": {"code"}}, "data"}}`.
    mutating func handle(answer message: JSONValue, now: Instant) {
        guard let data = message["data"] else { return statistics.count(.incomplete) }
        guard let id = pendingID(for: message), var waiting = pending[id] else { return statistics.count(.unmatched) }
        let piece = Self.text(of: data["data"])
        var whole = piece
        if let content = data["content_info"], content["enable_chunking"]?.booleanValue == true {
            guard let index = content["chunk_index"]?.integerValue,
                let total = content["total_chunk_num"]?.integerValue,
                total >= 1, total <= limits.maximumChunks
            else { return refuse(id, waiting, "a chunked answer without usable numbers") }
            var chunks = waiting.chunks ?? ChunkedAnswer(total: total)
            guard chunks.append(piece, index: index, total: total, limit: limits.maximumAnswerBytes) else {
                return refuse(id, waiting, "chunks out of order, or more than \(limits.maximumAnswerBytes) bytes")
            }
            guard chunks.isWhole else {
                waiting.chunks = chunks
                // Each piece earns the next one its time, up to a limit for all.
                waiting.deadline = min(now + waiting.request.timeout, waiting.sent + limits.maximumAnswerTime)
                pending[id] = waiting
                return
            }
            whole = chunks.text
        } else if piece.utf8.count > limits.maximumAnswerBytes {
            return refuse(id, waiting, "more than \(limits.maximumAnswerBytes) bytes")
        }
        guard let code = data["header"]?["status"]?["code"]?.integerValue, let code = Int32(exactly: code) else {
            return refuse(id, waiting, "without a status code")
        }
        pending[id] = nil
        let request = waiting.request
        emit(.link(.response(RobotResponse(id: request.id, apiID: request.apiID, code: code, data: whole))))
    }

    private mutating func refuse(_ id: Int32, _ waiting: Pending, _ reason: String) {
        statistics.count(.incomplete)
        pending[id] = nil
        fail(waiting.request, .invalid(reason: "the robot's answer cannot be used: \(reason)"))
    }

    /// The request that a message answers.
    private func pendingID(for message: JSONValue) -> Int32? {
        let topic = message["topic"]?.stringValue ?? ""
        let name = AnswerKey.name(type: "res", topic: topic)
        switch AnswerKey(of: message) {
        case .id, .uuid:
            // We give requests no uuid, so an answer that has one is told by its number all the same.
            let id = message["data"]?["header"]?["identity"]?["id"]?.integerValue
            if let id = id.flatMap({ Int32(exactly: $0) }), let waiting = pending[id] {
                // A number alone is no proof: the answer must come from the service that was asked.
                return topic.isEmpty || waiting.answerName == name ? id : nil
            }
            // The script service is known to send back other numbers than it was given.
            guard topic == RobotTopic.response(to: RobotTopic.bashRunner) || id == 0 else { return nil }
            return oldest(name, message)
        case .kind: return oldest(name, message)
        }
    }

    /// The longest waiting request of that service, and of that `api_id` where the answer names one.
    private func oldest(_ name: String, _ message: JSONValue) -> Int32? {
        let apiID = message["data"]?["header"]?["identity"]?["api_id"]?.integerValue
        return pending.filter { _, waiting in
            waiting.answerName == name && (apiID == nil || apiID == Int(waiting.request.apiID))
        }.min { left, right in
            (left.value.sent, left.key) < (right.value.sent, right.key)
        }?.key
    }

    private static func text(of value: JSONValue?) -> String {
        switch value {
        case nil, .null: ""
        case .string(let text)?: text
        case let other?: other.text
        }
    }
}
