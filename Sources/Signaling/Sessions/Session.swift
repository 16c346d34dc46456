package import Core

/// One student's session with an avatar, made by `POST /v1/sessions`.
package struct Session: Equatable, Sendable {
    package let id: SessionID
    /// The secret that admits to `/ws/{id}` and to `/whep/{id}`; told once, when the session is made.
    package let token: String
    package let tutorID: Int
    package let studentID: Int
    package let knowledgeBaseID: String?
    package let createdAt: WallTime
    package internal(set) var lastActivity: WallTime
    /// ``lastActivity`` on the monotonic clock, which the timeout goes by.
    package internal(set) var lastActive: Instant

    /// The avatar that is meant where no message names one.
    package var defaultAvatarID: String { "avatar_tutor_\(tutorID)" }

    /// What `GET /v1/sessions/{id}` tells: everything but the token.
    package var json: JSONValue {
        [
            "session_id": .string(id.value), "tutor_id": JSONValue(tutorID), "student_id": JSONValue(studentID),
            "kb_id": JSONValue(knowledgeBaseID), "status": "active", "created_at": .string(createdAt.iso8601),
            "last_activity": .string(lastActivity.iso8601),
        ]
    }
}

/// What a client asks a session for.
package struct SessionRequest: Equatable, Sendable {
    package var tutorID: Int
    package var studentID: Int
    package var knowledgeBaseID: String?

    package init(tutorID: Int, studentID: Int, knowledgeBaseID: String?) {
        self.tutorID = tutorID
        self.studentID = studentID
        self.knowledgeBaseID = knowledgeBaseID
    }

    /// Reads the body of `POST /v1/sessions`; the error's text is the answer's `detail`.
    package init(body: [UInt8]) throws(RequestError) {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw RequestError(422, "The body must be a JSON object")
        }
        guard let tutorID = json["tutor_id"]?.integerValue else {
            throw RequestError(422, "tutor_id must be a whole number")
        }
        guard let studentID = json["student_id"]?.integerValue else {
            throw RequestError(422, "student_id must be a whole number")
        }
        self.tutorID = tutorID
        self.studentID = studentID
        switch json["kb_id"] {
        case nil, .null: knowledgeBaseID = nil
        case .string(let text) where text.utf8.count <= ClientMessageLimits.identifier: knowledgeBaseID = text
        default: throw RequestError(422, "kb_id must be a string of at most \(ClientMessageLimits.identifier) bytes")
        }
    }
}

/// Why an HTTP request is refused: the status and the `detail` of the answer.
package struct RequestError: Error, Equatable, Sendable {
    package var status: Int
    package var detail: String

    package init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }
}
