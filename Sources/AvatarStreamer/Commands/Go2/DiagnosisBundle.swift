internal import Core
internal import Glibc
internal import Go2Bridge
internal import Networking

/// What an owner attaches to a report: what was done and seen, where, with which versions; without anything secret.
struct DiagnosisBundle {
    private let redactor: Redactor

    /// - Parameter secrets: keys, tokens and serial numbers of this run.
    init(secrets: [String]) {
        redactor = Redactor(secrets: secrets)
    }

    /// The `.tar.gz`.
    /// - Parameters:
    ///   - lines: what was printed.
    ///   - log: the log's lines.
    func archive(report: DiagnosisReport, lines: [String], log: [String], time: WallTime) -> [UInt8] {
        var archive = BundleArchive(time: time)
        let files = [
            ("report.txt", lines.joined(separator: "\n") + "\n"), ("report.json", report.json.text + "\n"),
            ("log.txt", log.joined(separator: "\n") + "\n"), ("versions.txt", ReportCommands.version() + "\n"),
            ("platform.txt", Self.platform()), ("interfaces.txt", Self.interfaces()),
        ]
        for (name, text) in files { archive.add("go2-diagnosis/\(name)", redactor.redact(text)) }
        return archive.finished()
    }

    private static func platform() -> String {
        var lines: [String] = []
        for path in ["/proc/version", "/etc/os-release", "/proc/meminfo"] {
            guard let bytes = FileContent.read(path, maximumLength: 65_536) else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            // Of the memory the first lines say enough.
            let part = path == "/proc/meminfo" ? text.split(separator: "\n").prefix(3).joined(separator: "\n") : text
            lines.append("# \(path)\n\(part)")
        }
        lines.append("# processors\n\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func interfaces() -> String {
        var lines = NetworkInterface.all().map { "\($0.name) \($0.ip)/\($0.prefixLength)" }
        if let routes = FileContent.read("/proc/net/route", maximumLength: 65_536) {
            lines += ["# /proc/net/route", String(decoding: routes, as: UTF8.self)]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
