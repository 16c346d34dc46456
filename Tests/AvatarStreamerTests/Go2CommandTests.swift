import Core
import Go2Bridge
import Testing

@testable import AvatarStreamer

@Suite("The commands for Go2 robots")
struct Go2CommandTests {
    private func command(_ text: String) -> Go2Command? {
        guard case .go2(let command) = Command(text.split(separator: " ").map(String.init)) else { return nil }
        return command
    }

    @Test("Commands and their options are understood")
    func understood() {
        var simple = Go2DiagnoseOptions()
        simple.address = IPAddress("192.168.12.1")
        #expect(command("go2 diagnose 192.168.12.1") == .diagnose(simple))
        var full = Go2DiagnoseOptions()
        full.serialNumber = "B42D1000P1234567"
        full.keyFile = "/etc/key"
        full.port = 9992
        full.interface = "wlan0"
        full.usesCamera = false
        full.timeoutSeconds = 20
        full.usesJSON = true
        full.bundle = "b.tar.gz"
        let options =
            "--key-file /etc/key --port=9992 --interface=wlan0 --no-camera --timeout 20 --json --bundle b.tar.gz"
        #expect(command("go2 diagnose --serial B42D1000P1234567 \(options)") == .diagnose(full))
        var discover = Go2DiscoverOptions()
        discover.timeoutSeconds = 2
        #expect(command("go2 discover --timeout 2") == .discover(discover))
        #expect(command("go2 keys") == .keys)
        for text in ["go2", "go2 --help", "go2 diagnose --help", "go2 discover -h", "go2 help"] {
            #expect(command(text) == .help, "\(text)")
        }
        #expect(Command(["go2", "dance"]) == .go2(.misuse("there is no command go2 dance")))
    }

    @Test("Anything else is misuse that says why")
    func misuse() {
        let cases = [
            ("go2 diagnose", "go2 diagnose needs the robot's address, or --serial"),
            ("go2 diagnose dog", "go2 diagnose needs the robot's IP address, not \"dog\""),
            ("go2 diagnose 224.0.0.1", "go2 diagnose needs the robot's IP address, not \"224.0.0.1\""),
            ("go2 diagnose 10.0.0.1 10.0.0.2", "go2 diagnose does not know 10.0.0.2"),
            ("go2 diagnose 10.0.0.1 --serial B1", "go2 diagnose takes an address or --serial, not both"),
            ("go2 diagnose 10.0.0.1 --timeout 0", "go2 diagnose: --timeout needs a whole number from 1 to 3600"),
            ("go2 diagnose 10.0.0.1 --bundle", "go2 diagnose: --bundle needs a file"),
            ("go2 diagnose 10.0.0.1 --json=yes", "go2 diagnose: --json takes no value"),
            ("go2 diagnose 10.0.0.1 --fast", "go2 diagnose does not know --fast"),
            (
                "go2 diagnose 10.0.0.1 --key-file a --key-env B",
                "go2 diagnose takes --key-file or --key-env, not both"
            ),
            ("go2 discover 10.0.0.1", "go2 discover does not know 10.0.0.1"),
            ("go2 keys now", "go2 keys does not know now"),
        ]
        for (text, reason) in cases { #expect(command(text) == .misuse(reason)) }
    }

    @Test("A diagnosis is told in lines with times, and ends with the step, the cause and the remedy")
    func text() {
        let text = DiagnosisText(began: .zero)
        let failure = PhaseFailure(
            code: "busy", reason: "another\u{1B}[2J client", causes: ["the app", "a program"], remedy: "close the app")
        let now = Instant.zero + .milliseconds(1_042)
        #expect(text.lines(of: .began(.phase(.signaling)), now: now) == ["[  1.042 s] signaling  …"])
        #expect(
            text.lines(of: .evidence(.phase(.ice), "checking\u{7}"), now: now) == ["[  1.042 s] ice          checking?"]
        )
        #expect(
            text.lines(of: .succeeded(.state, after: .milliseconds(12)), now: now) == [
                "[  1.042 s] state      ok, 12 ms"
            ])
        #expect(
            text.lines(of: .failed(.phase(.sctp), failure, after: .seconds(30)), now: now)
                == ["[  1.042 s] sctp       FAILED after 30 s (busy)"])
        var report = DiagnosisReport()
        report[.phase(.signaling)].outcome = .failed(failure)
        report.states = "channel closed"
        #expect(
            DiagnosisText.conclusion(report) == [
                "", "The step that fails: signaling (busy)", "Why: another?[2J client", "States: channel closed",
                "Likely causes, the likeliest first:", "  1. the app", "  2. a program", "What mends it: close the app",
            ])
        report.steps = report.steps.map { step in
            var step = step
            step.outcome = .succeeded
            return step
        }
        report.duration = .milliseconds(900)
        #expect(DiagnosisText.conclusion(report).last == "The robot is connected; it took 900 ms in all.")
    }

    @Test("A bundle holds what a report needs, and no key, token or serial number")
    func bundle() throws {
        let (serial, key) = ("B42D1000P1234567", "00112233445566778899aabbccddeeff")
        var report = DiagnosisReport()
        report[.phase(.discovery)].evidence = ["the robot \(serial) answered from 10.0.0.9"]
        let lines = ["trying \(key.uppercased())", "token=open-sesame"]
        let log = ["a=ice-pwd:0123456789abcdefghijklmn", "Authorization: Bearer quiet"]
        let archive = DiagnosisBundle(secrets: [serial, key]).archive(
            report: report, lines: lines, log: log, time: WallTime(secondsSince1970: 0))
        // Its blocks are stored as they are, so that the text can be looked through.
        let text = String(decoding: archive, as: UTF8.self)
        for secret in [serial, key, key.uppercased(), "open-sesame", "0123456789abcdefghijklmn", "quiet"] {
            #expect(!text.contains(secret), "\(secret)")
        }
        for kept in [
            "report.txt", "report.json", "log.txt", "versions.txt", "platform.txt", "interfaces.txt", "10.0.0.9",
            "OpenSSL", "usrsctp", "/proc/version", "lo 127.0.0.1/8",
        ] {
            #expect(text.contains(kept), "\(kept)")
        }
    }
}
