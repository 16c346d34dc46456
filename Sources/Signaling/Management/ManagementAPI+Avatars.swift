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
        return created(try await service.avatars.register(avatar, videoPath: path))
    }

    private func uploadAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let (avatar, fileName, video) = try AvatarRequest.parse(
            form: request.body, contentType: request.headers["Content-Type"] ?? "")
        guard video.count <= service.configuration.maximumUploadBytes else {
            throw RequestError(413, "The video is larger than \(service.configuration.maximumUploadBytes) bytes")
        }
        return created(try await service.avatars.store(avatar, fileName: fileName, video: video))
    }

    private func created(_ avatar: AvatarLibrary.Entry) -> HTTPResponse {
        .json(
            .created,
            [
                "status": "success", "avatar_id": .string(avatar.id), "avatar_path": .string(avatar.path),
                "message": .string("Avatar \(avatar.id) is registered"), "mock": false,
            ])
    }

    private func listAvatars(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let ids = await service.avatars.ids
        return .json(.ok, ["total": JSONValue(ids.count), "avatars": .array(ids.map(JSONValue.string))])
    }

    private func showAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        guard let avatar = await service.avatars.entry(request.parameters["avatar_id"] ?? "") else {
            throw Self.avatarNotFound
        }
        return .json(
            .ok, ["avatar_id": .string(avatar.id), "avatar_path": .string(avatar.path), "exists": true])
    }

    private func deleteAvatar(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        guard try await service.avatars.remove(request.parameters["avatar_id"] ?? "") else {
            throw Self.avatarNotFound
        }
        return HTTPResponse(.noContent)
    }

    private static var avatarNotFound: RequestError { RequestError(404, "Avatar not found") }
}
