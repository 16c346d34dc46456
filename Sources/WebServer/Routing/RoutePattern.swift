/// A path pattern: `/v1/sessions/{id}`; `{path...}` at the end takes the rest, slashes and all, even if it is empty.
struct RoutePattern: Sendable, Equatable {
    enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    let segments: [Segment]

    init(_ pattern: String) {
        precondition(pattern.hasPrefix("/"), "a route begins with a slash: \(pattern)")
        segments = Self.split(pattern).map { part in
            guard part.hasPrefix("{"), part.hasSuffix("}") else { return .literal(String(part)) }
            let name = part.dropFirst().dropLast()
            return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
        }
        let isRestLast = segments.dropLast().allSatisfy { if case .rest = $0 { false } else { true } }
        precondition(isRestLast, "{name...} ends a route: \(pattern)")
    }

    static func split(_ path: some StringProtocol) -> [Substring] {
        Substring(path).dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }

    /// The parameters where the path fits; nil where it does not.
    func match(_ path: [Substring]) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .rest(let name):
                parameters[name] = path.dropFirst(index).joined(separator: "/")
                return parameters
            case .literal(let text):
                guard index < path.count, path[index] == text else { return nil }
            case .parameter(let name):
                guard index < path.count, !path[index].isEmpty else { return nil }
                parameters[name] = String(path[index])
            }
        }
        return path.count == segments.count ? parameters : nil
    }

    /// Literals win over parameters, parameters over the rest; compared segment by segment.
    func isMoreSpecific(than other: RoutePattern) -> Bool {
        func rank(_ segment: Segment) -> Int {
            switch segment {
            case .literal: 0
            case .parameter: 1
            case .rest: 2
            }
        }
        for (mine, theirs) in zip(segments, other.segments) where rank(mine) != rank(theirs) {
            return rank(mine) < rank(theirs)
        }
        // A rest may be empty: the pattern that ends before it says more of such a path.
        if segments.count < other.segments.count { return rank(other.segments[segments.count]) == 2 }
        if segments.count > other.segments.count { return rank(segments[other.segments.count]) != 2 }
        return false
    }
}
