internal import Core

/// What a client registers as an avatar: a video, or an avatar of an engine, or a video that an engine makes one of.
package struct AvatarRequest: Equatable, Sendable {
    /// One of the configured engines, and its own id of the avatar.
    package struct Engine: Equatable, Sendable {
        package var name: String
        package var avatar: String

        package init(name: String, avatar: String) {
            self.name = name
            self.avatar = avatar
        }
    }
    /// A video as it came in a form.
    package struct Upload: Equatable, Sendable {
        package var fileName: String
        package var content: [UInt8]
    }

    package var avatarID: String
    package var appliesBlur: Bool
    package var tutorID: Int?
    package var engine: Engine?

    /// Fills in the id of the tutor's avatar where none is named; an engine's own id is the same where none is given.
    package init(
        avatarID: String?, appliesBlur: Bool, tutorID: Int?, engine: String? = nil, engineAvatar: String? = nil
    ) throws(RequestError) {
        guard let id = avatarID ?? tutorID.map({ "avatar_tutor_\($0)" }) else {
            throw RequestError(422, "avatar_id or tutor_id is required")
        }
        guard AvatarID.isValid(id) else {
            throw RequestError(422, "avatar_id must be 1 to 64 letters, digits, hyphens and underscores")
        }
        self.avatarID = id
        self.appliesBlur = appliesBlur
        self.tutorID = tutorID
        guard let engine else {
            guard engineAvatar == nil else { throw RequestError(422, "engine_avatar needs engine") }
            return
        }
        let own = engineAvatar ?? id
        guard AvatarID.isValid(engine) else { throw RequestError(422, "engine is not the name of an engine") }
        guard AvatarID.isValidForEngine(own) else {
            throw RequestError(422, "engine_avatar must be 1 to 64 letters, digits, dots, hyphens and underscores")
        }
        self.engine = Engine(name: engine, avatar: own)
    }

    /// Reads the body of `POST /v1/avatars`; `videoPath` is what the client names, nil where an engine needs none.
    package static func parse(_ body: [UInt8]) throws(RequestError) -> (AvatarRequest, videoPath: String?) {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw RequestError(422, "The body must be a JSON object")
        }
        let request = try AvatarRequest(
            avatarID: json["avatar_id"]?.identifierValue, appliesBlur: json["apply_blur"]?.booleanValue ?? false,
            tutorID: json["tutor_id"]?.integerValue, engine: json["engine"]?.identifierValue,
            engineAvatar: json["engine_avatar"]?.identifierValue)
        let path = json["video_path"]?.stringValue ?? ""
        guard !path.isEmpty || request.engine != nil, path.utf8.count <= 4096, !path.utf8.contains(0) else {
            throw RequestError(422, "video_path is required")
        }
        return (request, path.isEmpty ? nil : path)
    }

    /// Reads the form of `POST /v1/avatars/upload`.
    package static func parse(
        form: [UInt8], contentType: String
    ) throws(RequestError) -> (AvatarRequest, Upload) {
        guard let boundary = MultipartForm.boundary(of: contentType) else {
            throw RequestError(415, "The body must be multipart/form-data with a boundary")
        }
        let parts: [MultipartForm.Part]
        do throws(MultipartParseError) {
            parts = try MultipartForm.parse(form, boundary: boundary)
        } catch {
            throw RequestError(400, "The form cannot be read: \(error)")
        }
        func text(_ name: String) -> String? {
            guard let part = parts.first(where: { $0.name == name }), part.body.count <= 256 else { return nil }
            let text = String(decoding: form[part.body], as: UTF8.self)
            return text.isEmpty ? nil : text
        }
        let request = try AvatarRequest(
            avatarID: text("avatar_id"),
            appliesBlur: text("apply_blur").map { $0 == "true" || $0 == "1" || $0 == "True" } ?? false,
            tutorID: text("tutor_id").flatMap { Int($0) }, engine: text("engine"), engineAvatar: text("engine_avatar"))
        guard let video = parts.first(where: { $0.name == "video_file" }), !video.body.isEmpty else {
            throw RequestError(422, "video_file is required")
        }
        return (request, Upload(fileName: video.fileName ?? "", content: Array(form[video.body])))
    }
}
