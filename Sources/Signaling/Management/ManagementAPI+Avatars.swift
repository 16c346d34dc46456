internal import Core
internal import WebServer

extension ManagementAPI {
    func addAvatars(to router: inout Router, _ prefix: String) {
        // The form around the video needs some room of its own.
        let uploadLimit = service.configuration.maximumUploadBytes + (64 << 10)
        router.add(.post, "\(prefix)/avatars") { request in await managed(request, registerAvatar) }
        router.add(.post, "\(prefix)/avatars/upload", bodyLimit: uploadLimit) { request in
            await managed(request, uploadAvatar)
        }
        router.add(.get, "\(prefix)/avatars") { request in await managed(request, listAvatars) }
        router.add(.get, "\(prefix)/avatars/{avatar_id}") { request in await managed(request, showAvatar) }
        router.add(.delete, "\(prefix)/avatars/{avatar_id}") { request in await managed(request, deleteAvatar) }
    }

    private func registerAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let (avatar, path) = try AvatarRequest.parse(request.body)
        return await created(try await service.registerAvatar(avatar, videoPath: path))
    }

    private func uploadAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let (avatar, upload) = try AvatarRequest.parse(
            form: request.body, contentType: request.headers["Content-Type"] ?? "")
        guard upload.content.count <= service.configuration.maximumUploadBytes else {
            throw RequestError(413, "The video is larger than \(service.configuration.maximumUploadBytes) bytes")
        }
        return await created(try await service.storeAvatar(avatar, upload))
    }

    private func created(_ avatar: AvatarLibrary.Entry) async -> HTTPResponse {
        var members = await service.status(of: avatar).members
        // The former service's word for "registered"; how far it is since then is told by GET.
        members["preparation"] = members["status"]
        members["status"] = "success"
        members["avatar_id"] = .string(avatar.id)
        members["avatar_path"] = .string(avatar.location)
        members["message"] = .string("Avatar \(avatar.id) is registered")
        members["mock"] = false
        return .json(.created, .object(members))
    }

    private func listAvatars(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let ids = await service.avatars.ids
        return .json(.ok, ["total": JSONValue(ids.count), "avatars": .array(ids.map(JSONValue.string))])
    }

    private func showAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let id = request.parameters["avatar_id"] ?? ""
        var members: [String: JSONValue]
        if let avatar = await service.avatars.entry(id) {
            members = await service.status(of: avatar).members
            members["avatar_path"] = .string(avatar.location)
        } else if let picture = await service.avatars.configuredPicture(id) {
            switch picture {
            case .engine(let engine, let avatar):
                members = service.media.status(ofEngine: engine, avatar: avatar).members
                members["avatar_path"] = .string("engine://\(engine)/\(avatar)")
            case .builtIn, .video:
                members = AvatarStatus.ready.members
                members["avatar_path"] = "built-in"
            }
        } else {
            throw Self.avatarNotFound
        }
        members["avatar_id"] = .string(id)
        members["exists"] = true
        return .json(.ok, .object(members))
    }

    private func deleteAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let id = request.parameters["avatar_id"] ?? ""
        if try await service.removeAvatar(id) { return HTTPResponse(.noContent) }
        guard await service.avatars.configuredPicture(id) == nil else {
            throw RequestError(409, "Avatar \(id) is one of the configuration's profiles")
        }
        throw Self.avatarNotFound
    }

    private static var avatarNotFound: RequestError { RequestError(404, "Avatar not found") }
}

extension AvatarStatus {
    /// `status`, `progress` and `reason` of an avatar's answer.
    var members: [String: JSONValue] {
        switch self {
        case .preparing(let progress, let reason):
            ["status": "preparing", "progress": .number(progress), "reason": JSONValue(reason)]
        case .ready: ["status": "ready", "progress": .number(1), "reason": .null]
        case .failed(let reason): ["status": "failed", "progress": .null, "reason": .string(reason)]
        }
    }
}
