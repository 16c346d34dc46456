import Core
import Foundation
import MediaLoop
import PeerConnection

/// The load client's process as the server side sees it.
final class Crowd {
    let count: Int
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var rest = Data()
    private(set) var connected = 0
    private(set) var failures: [String] = []

    init(count: Int, perSecond: Int, watchesKeyFrames: Bool = false, codec: MediaCodec = .vp8) throws {
        self.count = count
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [
            "client", "\(count)", "\(perSecond)", watchesKeyFrames ? "watch" : "count", codec.rawValue,
        ]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Answers offers until everybody is connected, or nobody is heard from for 20 s.
    func admit(to loop: MediaLoop, stage: StageID) async {
        while connected + failures.count < count, let line = nextLine() {
            let words = line.split(separator: " ")
            if words.first == "offer", words.count == 3, let sdp = Base64.decode(words[2]) {
                do {
                    let answer = try await loop.addViewer(
                        stage: stage, offer: String(decoding: sdp, as: UTF8.self), remoteAddress: .loopbackV4,
                        includeCandidates: true)
                    send("answer \(words[1]) \(Base64.encode(Array(answer.sdp.utf8)))")
                } catch {
                    failures.append("\(error)")
                }
            } else if words.first == "connected" {
                connected += 1
            } else if words.first == "failed" {
                failures.append(line)
            }
        }
    }

    /// What the crowd counted so far.
    func report() -> [String: Double] {
        send("report")
        while let line = nextLine() {
            guard line.hasPrefix("result ") else { continue }
            var figures: [String: Double] = [:]
            for pair in line.split(separator: " ").dropFirst() {
                let parts = pair.split(separator: "=")
                if parts.count == 2 { figures[String(parts[0])] = Double(parts[1]) }
            }
            return figures
        }
        return [:]
    }

    func leave() {
        send("quit")
        process.waitUntilExit()
    }

    private func send(_ line: String) {
        try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    private func nextLine() -> String? {
        while true {
            if let end = rest.firstIndex(of: 0x0A) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest = rest[(end + 1)...]
                return line
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            rest += more
        }
    }
}
