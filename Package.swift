// swift-tools-version: 6.3
import PackageDescription

/// Every target of ours is compiled under the same rules (see docs/architecture.md).
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests trust their own fixtures, so they do without the strict-memory-safety markers.
let testSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// One room of the house. Its dependencies are exactly what it may import.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies, exclude: exclude,
        swiftSettings: testSettings)
}

/// A C library that Debian ships: one module map, one folder.
func library(_ name: String, _ pkgConfig: String? = nil) -> Target {
    .systemLibrary(name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig)
}

/// One libFuzzer target: how `make fuzz` builds it is told in Fuzz/README.md.
func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Fuzz/\(name)",
        swiftSettings: testSettings + [.unsafeFlags(["-parse-as-library"])])
}

/// Fuzz targets have no `main`, so they exist only while they are asked for: all by `AVATAR_STREAMER_FUZZ=1`, one by
/// `AVATAR_STREAMER_FUZZ=FuzzSTUN`.
let fuzzing = Context.environment["AVATAR_STREAMER_FUZZ"]

/// The program; a plain module while it is fuzzed, since libFuzzer brings the `main`.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    fuzzing == nil
        ? .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
        : .target(name: name, dependencies: dependencies, swiftSettings: strict + [.define("FUZZING")])
}

let package = Package(
    name: "avatar-streamer",
    products: fuzzing == nil ? [.executable(name: "avatar-streamer", targets: ["AvatarStreamer"])] : [],
    targets: [
        // The program
        program(
            "AvatarStreamer",
            [
                "Signaling", "Conversation", "Go2Bridge", "RobotControl", "MediaLoop", "MediaPipeline",
                "PeerConnection",
                "TURNServer", "TURNClient", "WebServer", "Networking", "Core", "CYAML",
            ]),

        // The rooms
        module(
            "Signaling",
            ["Conversation", "Go2Bridge", "MediaLoop", "MediaPipeline", "PeerConnection", "WebServer", "Core"]),
        module(
            "Conversation", ["MediaPipeline", "Networking", "Core", "CPocketSphinx", "CAudioProcessing"]),
        module(
            "Go2Bridge",
            ["MediaLoop", "MediaPipeline", "PeerConnection", "Networking", "Core", "CLZ4", "CDDS"]),
        module("MediaLoop", ["MediaPipeline", "PeerConnection", "TURNServer", "TURNClient", "Networking", "Core"]),
        module(
            "MediaPipeline",
            ["PeerConnection", "Networking", "Core", "CVPX", "COpus", "CFFmpeg", "CYUV", "CCairo", "CFlite"]),
        module("PeerConnection", ["TURNClient", "Core", "COpenSSL", "CSRTP", "CSCTP"]),
        module("TURNServer", ["TURNClient", "Core"]),
        module("TURNClient", ["Core"]),
        module("RobotControl", ["WebServer", "Networking", "Core", "CZlib"]),
        module("WebServer", ["Networking", "Core", "CWebSockets"]),
        module("Networking", ["Core", "CLinux", "CCURL", "CZeroMQ"]),
        module("Core", ["CCrypto"]),

        // C libraries
        .target(name: "CLinux", path: "Sources/CLibraries/CLinux"),
        library("CCrypto", "libcrypto"),
        library("COpenSSL", "libssl"),
        library("CSRTP", "libsrtp2"),
        library("CVPX", "vpx"),
        library("COpus", "opus"),
        library("CFFmpeg", "libavformat"),
        library("CYUV"),
        library("CCairo", "cairo"),
        library("CFlite"),
        library("CWebSockets", "libwebsockets"),
        library("CYAML", "yaml-0.1"),
        library("CZeroMQ"),
        library("CCURL"),
        library("CPocketSphinx", "pocketsphinx"),
        library("CLZ4"),
        library("CZlib", "zlib"),
        // usrsctp keeps one state for the whole process and calls back; this target makes associations of it.
        .target(
            name: "CSCTP", path: "Sources/CLibraries/CSCTP", cSettings: [.define("INET"), .define("INET6")],
            linkerSettings: [.linkedLibrary("usrsctp")]),
        // Cyclone DDS, and the topics' types as its IDL compiler makes them.
        .target(name: "CDDS", path: "Sources/CLibraries/CDDS", linkerSettings: [.linkedLibrary("ddsc")]),
        // WebRTC's audio processing has no C interface: this target is one.
        .target(
            name: "CAudioProcessing", path: "Sources/CLibraries/CAudioProcessing",
            cxxSettings: [
                .define("WEBRTC_AUDIO_PROCESSING_ONLY_BUILD"), .define("WEBRTC_POSIX"),
                .unsafeFlags(["-isystem", "/usr/include/webrtc_audio_processing"]),
            ], linkerSettings: [.linkedLibrary("webrtc_audio_processing")]),

        // Tests
        .target(name: "TestSupport", dependencies: ["Core"], path: "Tests/TestSupport", swiftSettings: testSettings),
        .target(
            name: "PeerSupport", dependencies: ["PeerConnection", "TURNClient", "Networking", "Core"],
            path: "Tests/PeerSupport", swiftSettings: testSettings),
        tests("Core", []),
        tests("TURNClient", ["Core"]),
        tests("TURNServer", ["TURNClient", "Core"]),
        tests("PeerConnection", ["TURNClient", "Core", "CSRTP"]),
        tests("MediaPipeline", ["PeerConnection", "Networking", "Core"]),
        tests(
            "MediaLoop",
            ["PeerSupport", "MediaPipeline", "PeerConnection", "TURNServer", "TURNClient", "Networking", "Core"]),
        tests("Networking", ["WebServer", "Core"]),
        tests("WebServer", ["Networking", "Core"]),
        tests("RobotControl", ["WebServer", "Networking", "Core"], exclude: ["Fixtures"]),
        tests("Conversation", ["MediaPipeline", "WebServer", "Networking", "PeerConnection", "Core"]),
        tests(
            "Go2Bridge",
            [
                "PeerSupport", "MediaLoop", "MediaPipeline", "PeerConnection", "WebServer", "Networking", "Core",
                "CCrypto",
            ]),
        tests(
            "Signaling",
            ["Conversation", "Go2Bridge", "MediaLoop", "MediaPipeline", "PeerConnection", "WebServer", "Core"]),
        tests(
            "AvatarStreamer",
            ["Signaling", "Conversation", "Go2Bridge", "MediaLoop", "MediaPipeline", "Networking", "Core"]),

        // The application that the public conformance suites of Engine.IO and Socket.IO expect.
        .executableTarget(
            name: "SocketIOConformance", dependencies: ["WebServer", "Networking", "Core"],
            path: "Tests/SocketIOConformance", swiftSettings: testSettings),

        // Measuring
        .executableTarget(
            name: "StreamerBench",
            dependencies: [
                "MediaLoop", "MediaPipeline", "PeerConnection", "TURNServer", "TURNClient", "Networking", "Core",
            ], path: "Benchmarks/StreamerBench", swiftSettings: testSettings),
    ]
        + (fuzzing == nil
            ? []
            : [
                fuzzer("FuzzSTUN", ["TURNClient", "Core"]),
                fuzzer("FuzzTURNServer", ["TURNServer", "TURNClient", "Core"]),
                fuzzer("FuzzTURNClient", ["TURNClient", "Core"]),
                fuzzer("FuzzCandidate", ["TURNClient", "Core"]),
                fuzzer("FuzzSDP", ["PeerConnection", "Core"]),
                fuzzer("FuzzRTP", ["PeerConnection", "Core"]),
                fuzzer("FuzzRTCP", ["PeerConnection", "Core"]),
                fuzzer("FuzzDTLS", ["PeerConnection", "Core"]),
                fuzzer("FuzzPeer", ["PeerConnection", "TURNClient", "Core"]),
                fuzzer("FuzzSignalingMessage", ["Signaling", "WebServer", "Core"]),
                fuzzer("FuzzHTTPBody", ["Signaling", "WebServer", "Core"]),
                fuzzer("FuzzHTTPRequest", ["WebServer", "Core"]),
                fuzzer("FuzzConfiguration", ["AvatarStreamer", "Core"]),
                fuzzer("FuzzMediaFile", ["MediaPipeline", "Core"]),
                fuzzer("FuzzSpeech", ["MediaPipeline", "Core"]),
                fuzzer("FuzzText", ["Core"]),
                fuzzer("FuzzEngineMessage", ["MediaPipeline", "Networking", "Core"]),
                fuzzer("FuzzMicrophone", ["MediaPipeline", "PeerConnection", "Core"]),
                fuzzer("FuzzRecording", ["MediaPipeline", "Core"]),
                fuzzer("FuzzServiceAnswer", ["Conversation", "Core"]),
                fuzzer("FuzzSCTP", ["PeerConnection", "Core"]),
                fuzzer("FuzzDataChannel", ["PeerConnection", "Core"]),
                fuzzer("FuzzH264", ["PeerConnection", "MediaPipeline", "Core"]),
                fuzzer("FuzzRobotMessage", ["Go2Bridge", "PeerConnection", "Core"]),
                fuzzer("FuzzLiDAR", ["Go2Bridge", "Core"]),
                fuzzer("FuzzDDSSample", ["Go2Bridge", "Core"]),
                fuzzer("FuzzRobotSignaling", ["Go2Bridge", "Core"]),
                fuzzer("FuzzEngineIO", ["WebServer", "Core"]),
                fuzzer("FuzzSocketIO", ["WebServer", "Core"]),
                fuzzer("FuzzZipArchive", ["RobotControl", "Core"]),
                fuzzer("FuzzWorkerMessage", ["RobotControl", "Networking", "Core"]),
            ].filter { fuzzing == "1" || fuzzing == $0.name })
)
