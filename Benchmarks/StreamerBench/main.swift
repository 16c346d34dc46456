import Core
import Foundation
import MediaLoop
import MediaPipeline
import PeerConnection

// Measures what a viewer, a packet and a frame cost, in one run and as ratios; the crowd of viewers is a process of its own.
//   StreamerBench [--viewers 50,200,500] [--seconds 10]
// Or what a robot's camera costs, passed through and made VP8 of (needs the `ffmpeg` program):
//   StreamerBench camera [--viewers 20] [--seconds 20]
// Or is a crowd that comes to a server that runs already, over HTTP, and goes again:
//   StreamerBench viewers --whep http://HOST:9000/whep/avatar [--count 20] [--lifetime 30] [--per-second 10] [--seconds S]
//                 [--relay]
// Or is one peer with data channels, told what to do by JSON lines (Tests/EndToEnd/channel_peer.py says which):
//   StreamerBench data-channels [--offer] [--maximum-message-bytes 262144]

let arguments = CommandLine.arguments
if arguments.count == 6, arguments[1] == "client", let count = Int(arguments[2]), let perSecond = Int(arguments[3]),
    let codec = MediaCodec(rawValue: arguments[5])
{
    try runLoadClient(count: count, perSecond: perSecond, watchesKeyFrames: arguments[4] == "watch", codec: codec)
}

if arguments.count == 3, arguments[1] == "sink", let count = Int(arguments[2]) { try SinkProcess.run(count: count) }

func option(_ name: String) -> String? {
    guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
    return arguments[index + 1]
}

if arguments.count > 1, arguments[1] == "viewers" {
    guard let endpoint = option("--whep").flatMap(URL.init(string:)) else {
        emit(
            "usage: StreamerBench viewers --whep URL [--count N] [--lifetime S] [--per-second R] [--seconds S] [--relay]"
        )
        exit(64)
    }
    try runVisits(
        Visits.Plan(
            endpoint: endpoint, count: option("--count").flatMap(Int.init) ?? 20,
            lifetime: option("--lifetime").flatMap(Double.init) ?? 30,
            perSecond: max(option("--per-second").flatMap(Double.init) ?? 10, 0.1),
            seconds: option("--seconds").flatMap(Double.init), usesRelay: arguments.contains("--relay")))
}

if arguments.count > 1, arguments[1] == "data-channels" {
    try runChannelPeer(
        role: arguments.contains("--offer") ? .offerer : .answerer,
        maximumMessageBytes: option("--maximum-message-bytes").flatMap { Int($0) } ?? 262_144)
}

var quiet = LogOutput.Settings()
quiet.level = .warning
LogOutput.configure(quiet)

if arguments.count > 1, arguments[1] == "camera" {
    try await CameraBenchmark(
        viewers: option("--viewers").flatMap(Int.init) ?? 20, seconds: option("--seconds").flatMap(Double.init) ?? 20
    ).run()
    exit(0)
}

let counts = (option("--viewers") ?? "50,200,500").split(separator: ",").compactMap { Int($0) }
let seconds = Double(option("--seconds") ?? "10") ?? 10
let benchmark = Benchmark(seconds: seconds)
emit("AvatarStreamer benchmark: 512x512, 30 fps, 1 Mbit/s, Opus 48 kbit/s, direct path on loopback, AES-128-GCM")
try await benchmark.idleStage()
for count in counts { try await benchmark.crowd(of: count) }
try await benchmark.joins(count: 200, perSecond: 20)
