internal import Core

/// The rules for an avatar's id: it becomes part of a file name, so nothing but letters, digits, `-` and `_`.
package enum AvatarID {
    package static func isValid(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }
}

/// What a client registers as an avatar.
package struct AvatarRequest: Equatable, Sendable {
    package var avatarID: String
    package var appliesBlur: Bool
    package var tutorID: Int?

    /// Fills in the id of the tutor's avatar where none is named.
    package init(avatarID: String?, appliesBlur: Bool, tutorID: Int?) throws(RequestError) {
        guard let id = avatarID ?? tutorID.map({ "avatar_tutor_\($0)" }) else {
            throw RequestError(422, "avatar_id or tutor_id is required")
        }
        guard AvatarID.isValid(id) else {
            throw RequestError(422, "avatar_id must be 1 to 64 letters, digits, hyphens and underscores")
        }
        self.avatarID = id
        self.appliesBlur = appliesBlur
        self.tutorID = tutorID
    }

    /// Reads the body of `POST /v1/avatars`; `videoPath` is what the client names.
    package static func parse(_ body: [UInt8]) throws(RequestError) -> (AvatarRequest, videoPath: String) {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw RequestError(422, "The body must be a JSON object")
        }
        let request = try AvatarRequest(
            avatarID: json["avatar_id"]?.identifierValue, appliesBlur: json["apply_blur"]?.booleanValue ?? false,
            tutorID: json["tutor_id"]?.integerValue)
        guard let path = json["video_path"]?.stringValue, !path.isEmpty, path.utf8.count <= 4096,
            !path.utf8.contains(0)
        else { throw RequestError(422, "video_path is required") }
        return (request, path)
    }

    /// Reads the form of `POST /v1/avatars/upload`.
    package static func parse(
        form: [UInt8], contentType: String
    ) throws(RequestError) -> (AvatarRequest, fileName: String, video: [UInt8]) {
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
            tutorID: text("tutor_id").flatMap { Int($0) })
        guard let video = parts.first(where: { $0.name == "video_file" }), !video.body.isEmpty else {
            throw RequestError(422, "video_file is required")
        }
        return (request, video.fileName ?? "", Array(form[video.body]))
    }
}
