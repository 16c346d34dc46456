internal import Core
internal import Glibc

/// A project's `requirements.txt` and the files it includes, looked at before pip sees them.
///
/// pip takes far more than names there: paths, editable folders, other files. What reaches out of the project is refused,
/// and so is any option whose meaning we do not know.
/// - SeeAlso: [pip's requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/)
struct Requirements: Equatable, Sendable {
    /// Bytes of one file, and how many files.
    private static let maximumBytes = 256 << 10
    private static let maximumFiles = 10
    private static let plainOptions: Set<String> = [
        "--pre", "--no-index", "--prefer-binary", "--require-hashes",
    ]
    private static let textOptions: Set<String> = [
        "-i", "--index-url", "--extra-index-url", "--no-binary", "--only-binary", "--trusted-host",
    ]
    private static let fileOptions: Set<String> = ["-r", "--requirement", "-c", "--constraint"]
    private static let folderOptions: Set<String> = ["-f", "--find-links"]
    private static let schemes: Set<String> = ["http", "https", "git+https", "git+http", "git+ssh"]
    private static let archiveSuffixes = [
        ".zip", ".whl", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz",
    ]

    /// Everything that decides what is installed.
    private(set) var text: [UInt8] = []
    /// It names files of the project, so that its text alone does not tell what is installed.
    private(set) var usesProjectFiles = false
    private var files: Set<String> = []
    private var isEmpty = true

    /// Nil where there is nothing to install.
    init?(of project: ProjectFolder, allowsAnything: Bool) throws(ProjectFailure) {
        guard unsafe access("\(project.path)/requirements.txt", F_OK) == 0 else { return nil }
        try read("requirements.txt", in: project, allowsAnything: allowsAnything)
        if isEmpty { return nil }
    }

    private mutating func read(
        _ name: String, in project: ProjectFolder, allowsAnything: Bool
    ) throws(ProjectFailure) {
        guard files.insert(name).inserted else { return }
        guard files.count <= Self.maximumFiles else {
            throw Self.refusal("more than \(Self.maximumFiles) files", name)
        }
        let bytes: [UInt8]
        do throws(ArchiveFailure) {
            let file = try ArchiveFile(path: "\(project.path)/\(name)")
            guard file.count <= Self.maximumBytes else {
                throw ArchiveFailure(.storage, "\(name) is longer than \(Self.maximumBytes) bytes.")
            }
            bytes = try file.bytes(at: 0, count: file.count)
        } catch {
            throw ProjectFailure(code: "requirements_refused", reason: "\(name) cannot be read. \(error)")
        }
        text += name.utf8 + [0] + bytes + [0]
        guard let content = String(validating: bytes, as: UTF8.self) else {
            throw Self.refusal("text that is not UTF-8", name)
        }
        // Python ends a line at some of them where others do not.
        guard allowsAnything || bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || [0x09, 0x0A, 0x0D].contains($0) }) else {
            throw Self.refusal("control characters", name)
        }
        for line in Self.lines(of: content) {
            isEmpty = false
            if allowsAnything {
                usesProjectFiles = true
            } else {
                try check(line, of: name, in: project)
            }
        }
    }

    /// Logical lines, without comments, joined as pip joins them.
    static func lines(of content: String) -> [String] {
        var lines: [String] = []
        var open = ""
        for raw in content.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            // A comment is not continued, whatever it ends with.
            let isComment = raw.first { !$0.isWhitespace } == "#"
            if raw.last == "\\", !isComment {
                open += raw.drop { $0 == "\\" }
                while open.last == "\\" { open.removeLast() }
                continue
            }
            lines.append(open + (isComment ? " " : "") + raw)
            open = ""
        }
        lines.append(open)
        return lines.map { line in
            var kept: [Character] = []
            for character in line {
                if character == "#", kept.last?.isWhitespace ?? true { break }
                kept.append(character)
            }
            while kept.last?.isWhitespace == true { kept.removeLast() }
            return String(kept.drop { $0.isWhitespace })
        }.filter { !$0.isEmpty }
    }

    private mutating func check(_ line: String, of file: String, in project: ProjectFolder) throws(ProjectFailure) {
        guard !line.contains("${") else { throw Self.refusal("a variable of the environment", line) }
        var words = line.split { $0.isWhitespace }.map { String($0) }
        if line.hasPrefix("-") {
            while !words.isEmpty { try checkOption(&words, line: line, of: file, in: project) }
            return
        }
        // Behind a requirement pip takes options of its own, which reach into how things are built; hashes do not.
        if let option = words.first(where: { $0.hasPrefix("-") && !$0.hasPrefix("--hash=") }) {
            throw Self.refusal("the option \(option)", line)
        }
        let requirement = line.split(separator: ";", maxSplits: 1)[0].split { $0.isWhitespace }
        for word in requirement where !word.hasPrefix("--hash=") {
            try checkPlace(String(word), line: line)
        }
    }

    private mutating func checkOption(
        _ words: inout [String], line: String, of file: String, in project: ProjectFolder
    ) throws(ProjectFailure) {
        let word = words.removeFirst()
        if Self.plainOptions.contains(word) { return }
        let parts = word.split(separator: "=", maxSplits: 1).map { String($0) }
        let option = parts[0]
        let isKnown =
            Self.textOptions.contains(option) || Self.fileOptions.contains(option)
            || Self.folderOptions.contains(option)
        guard isKnown, option.hasPrefix("--") || parts.count == 1 else {
            throw Self.refusal("the option \(ArchiveFailure.printable(option))", line)
        }
        let value: String
        if parts.count == 2 {
            value = parts[1]
        } else {
            guard !words.isEmpty else { throw Self.refusal("an option without its value", line) }
            value = words.removeFirst()
        }
        guard !value.hasPrefix("-"), !value.contains(where: { "\"'\\".contains($0) }) else {
            throw Self.refusal("a value in quotes", line)
        }
        if Self.folderOptions.contains(option) {
            // A bare name is a folder here.
            try value.contains(":") ? checkPlace(value, line: line) : checkPath(value, line: line)
        } else if Self.fileOptions.contains(option) {
            // pip looks for it beside the file that names it.
            let folder = file.split(separator: "/").dropLast().joined(separator: "/")
            let path = folder.isEmpty ? value : "\(folder)/\(value)"
            guard !value.contains(":") else { throw Self.refusal("a place outside of the project", line) }
            try checkPath(value, line: line)
            try read(path, in: project, allowsAnything: false)
        } else if option.hasSuffix("url") || option == "-i" {
            guard value.hasPrefix("https://") || value.hasPrefix("http://") else {
                throw Self.refusal("a place outside of the project", line)
            }
        }
    }

    /// A word that may be a URL or a path; anything else is a name, and the index's business.
    private mutating func checkPlace(_ word: String, line: String) throws(ProjectFailure) {
        if let colon = word.firstIndex(of: ":") {
            let scheme = word[..<colon].split(separator: "@").last.map { $0.lowercased() } ?? ""
            guard Self.schemes.contains(scheme), word[colon...].hasPrefix("://") else {
                throw Self.refusal("a place outside of the project", line)
            }
            return
        }
        let lower = word.lowercased()
        let isPath =
            word.contains("/") || word.hasPrefix(".") || word.hasPrefix("~")
            || Self.archiveSuffixes.contains { lower.hasSuffix($0) }
        if isPath { try checkPath(word, line: line) }
    }

    private mutating func checkPath(_ path: String, line: String) throws(ProjectFailure) {
        let leadsOut = path.hasPrefix("/") || path.hasPrefix("~") || path.split(separator: "/").contains("..")
        guard !leadsOut, !path.contains("\\") else { throw Self.refusal("a place outside of the project", line) }
        usesProjectFiles = true
    }

    private static func refusal(_ what: String, _ line: String) -> ProjectFailure {
        ProjectFailure(
            code: "requirements_refused", reason: "requirements.txt asks for \(what), which is not allowed.",
            details: ArchiveFailure.printable(line))
    }
}
