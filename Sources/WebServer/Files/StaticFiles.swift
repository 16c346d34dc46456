/// Serves the files below a folder: `router.add(.get, "/{path...}", StaticFiles(root: folder).respond)`.
///
/// Names that begin with a dot are never served; a folder is served by its `index.html`.
package struct StaticFiles: Sendable {
    package let root: String
    /// The name of the route's parameter that holds the path below the root.
    package let parameter: String
    /// How long browsers keep a file without asking; 0: they ask each time, and get 304 where nothing changed.
    package let maximumAge: Duration

    package init(root: String, parameter: String = "path", maximumAge: Duration = .zero) {
        self.root = root
        self.parameter = parameter
        self.maximumAge = maximumAge
    }

    @Sendable
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let missing = HTTPResponse.text(.notFound, "not found\n")
        guard let path = Self.safePath(request.parameters[parameter] ?? "") else { return missing }
        var file = root + "/" + path
        if path.isEmpty || path.hasSuffix("/") { file += "index.html" }
        guard let found = RegularFile(path: file) else { return missing }
        let tag = "\"\(String(found.size, radix: 16))-\(String(found.modified, radix: 16))\""
        let age = maximumAge.components.seconds
        let headers: HTTPHeaders = [
            "Content-Type": MediaTypes.type(of: file), "ETag": tag,
            "Cache-Control": age > 0 ? "public, max-age=\(age)" : "no-cache", "X-Content-Type-Options": "nosniff",
        ]
        if let known = request.headers["If-None-Match"], Self.matches(known, tag) {
            return HTTPResponse(.notModified, headers: headers)
        }
        return HTTPResponse(.ok, headers: headers, body: .file(path: file))
    }

    /// The path where none of its names leads elsewhere; nil else.
    static func safePath(_ path: String) -> String? {
        guard !path.utf8.contains(0), !path.hasPrefix("/") else { return nil }
        let names = path.split(separator: "/", omittingEmptySubsequences: false)
        for (index, name) in names.enumerated() {
            if name.hasPrefix(".") || name.contains("\\") { return nil }
            if name.isEmpty && index != names.count - 1 { return nil }
        }
        return path
    }

    /// `If-None-Match`: a list of tags, or `*` ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
    static func matches(_ field: String, _ tag: String) -> Bool {
        field.split(separator: ",").contains { item in
            let item = item.filter { !$0.isWhitespace }
            return item == "*" || item == tag || item == "W/" + tag
        }
    }
}

/// The media types of the files we serve, by extension.
enum MediaTypes {
    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
        "jpeg": "image/jpeg", "webp": "image/webp", "ico": "image/x-icon", "woff2": "font/woff2",
        "txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8", "wasm": "application/wasm",
        "webm": "video/webm", "mp4": "video/mp4", "wav": "audio/wav", "map": "application/json",
        "webmanifest": "application/manifest+json",
    ]

    static func type(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        return types[name[name.index(after: dot)...].lowercased()] ?? "application/octet-stream"
    }
}
