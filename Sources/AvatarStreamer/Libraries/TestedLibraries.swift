/// A native library, and the versions of it that this server was tested with.
struct TestedLibrary: Sendable {
    var name: String
    /// Debian's package, for the remedy.
    var package: String
    /// Tested from this version on …
    var from: LibraryVersion
    /// … up to but not including this one.
    var below: LibraryVersion
    /// Why the range is what it is.
    var reason: String
    /// The version that runs, as the library itself says; nil where it is not loaded.
    var loaded: @Sendable () -> String?

    enum Finding: Equatable, Sendable {
        case tested(LibraryVersion)
        case untested(LibraryVersion)
        case missing
    }

    var finding: Finding {
        guard let text = loaded(), let version = LibraryVersion(in: text) else { return .missing }
        return version >= from && version < below ? .tested(version) : .untested(version)
    }
}

extension TestedLibrary {
    /// The one place where tested versions are stated.
    static let all: [TestedLibrary] = [
        TestedLibrary(
            name: "OpenSSL", package: "libssl3", from: .init(3, 0, 0), below: .init(4),
            reason:
                "DTLS 1.2 with memory BIOs and the use_srtp extension as 3.0 has them; 1.1 lacks EVP_MAC and support",
            loaded: { LoadedLibraries.textOfZero("OpenSSL_version") }),
        TestedLibrary(
            name: "libsrtp2", package: "libsrtp2-1", from: .init(2, 5), below: .init(2, 8),
            reason: "AEAD_AES_128_GCM with the replay window of 2.5; 3.0 changes the policy structures",
            loaded: { LoadedLibraries.text("srtp_get_version_string") }),
        TestedLibrary(
            name: "libvpx", package: "libvpx7", from: .init(1, 12), below: .init(2),
            reason: "the encoder's ABI and real-time settings as measured with 1.12",
            loaded: { LoadedLibraries.text("vpx_codec_version_str") }),
        TestedLibrary(
            name: "libopus", package: "libopus0", from: .init(1, 3), below: .init(2),
            reason: "in-band FEC and DTX at 48 kHz; earlier versions were not tried",
            loaded: { LoadedLibraries.text("opus_get_version_string") }),
        TestedLibrary(
            name: "libavformat", package: "libavformat59", from: .init(59), below: .init(60),
            reason: "FFmpeg 5.1: channel layouts changed with 59, deprecated fields went with 60",
            loaded: { LoadedLibraries.packed("avformat_version") }),
        TestedLibrary(
            name: "libavcodec", package: "libavcodec59", from: .init(59), below: .init(60),
            reason: "FFmpeg 5.1, which libavformat is tested with",
            loaded: { LoadedLibraries.packed("avcodec_version") }),
        TestedLibrary(
            name: "libswscale", package: "libswscale6", from: .init(6), below: .init(7),
            reason: "FFmpeg 5.1, which libavformat is tested with",
            loaded: { LoadedLibraries.packed("swscale_version") }),
        TestedLibrary(
            name: "libswresample", package: "libswresample4", from: .init(4), below: .init(5),
            reason: "FFmpeg 5.1: swr_alloc_set_opts2 came with 4.5",
            loaded: { LoadedLibraries.packed("swresample_version") }),
        TestedLibrary(
            name: "libyuv", package: "libyuv0", from: .init(1800), below: .init(2000),
            reason: "no stable numbering: Debian 12's snapshot is 1857; the conversions used are older than that",
            loaded: { LoadedLibraries.fileSuffix("libyuv.so.0.0.") }),
        TestedLibrary(
            name: "Cairo", package: "libcairo2", from: .init(1, 16), below: .init(2),
            reason: "image surfaces and gradients, unchanged since 1.16",
            loaded: { LoadedLibraries.text("cairo_version_string") }),
        TestedLibrary(
            name: "Flite", package: "libflite1", from: .init(2, 2), below: .init(2, 3),
            reason: "phoneme times are read from its utterance structures, whose layout is 2.2's",
            loaded: { LoadedLibraries.fileSuffix("libflite.so.") }),
        TestedLibrary(
            name: "PocketSphinx", package: "libpocketsphinx3", from: .init(3, 0), below: .init(4),
            reason:
                "the interface of 5prealpha (its library is numbered 3.0.0); 5.0 changed settings and search modules",
            loaded: { LoadedLibraries.fileSuffix("libpocketsphinx.so.") }),
        TestedLibrary(
            name: "webrtc-audio-processing", package: "libwebrtc-audio-processing1", from: .init(1, 0), below: .init(2),
            reason: "the voice detector of 0.3 (its library is numbered 1.0.0); 1.0 moved everything to other headers",
            loaded: { LoadedLibraries.fileSuffix("libwebrtc_audio_processing.so.") }),
        TestedLibrary(
            name: "libwebsockets", package: "libwebsockets17", from: .init(4, 1, 6), below: .init(4, 4),
            reason: "4.1.6 is Debian 12's; the close and timeout callbacks differ before 4.1",
            loaded: { LoadedLibraries.text("lws_get_library_version") }),
        TestedLibrary(
            name: "libyaml", package: "libyaml-0-2", from: .init(0, 2), below: .init(0, 3),
            reason: "the event API is stable; 0.1 has known overflows",
            loaded: { LoadedLibraries.text("yaml_get_version_string") }),
        TestedLibrary(
            name: "libcurl", package: "libcurl4", from: .init(7, 87), below: .init(9),
            reason: "7.85 brought the list of allowed protocols as text, 7.87 an end that waits for no name lookup",
            loaded: { LoadedLibraries.text("curl_version").map { String($0.prefix { $0 != " " }.dropFirst(8)) } }),
        TestedLibrary(
            name: "libzmq", package: "libzmq5", from: .init(4, 3), below: .init(5),
            reason: "ROUTER and DEALER with CURVE and ZAP as 4.3 has them; earlier versions have known overflows",
            loaded: { LoadedLibraries.triple("zmq_version") }),
        TestedLibrary(
            name: "usrsctp", package: "libusrsctp2", from: .init(2), below: .init(3),
            reason:
                "the use without threads as 0.9.5 has it (its library is numbered 2); earlier versions were not tried",
            loaded: { LoadedLibraries.fileSuffix("libusrsctp.so.") }),
        TestedLibrary(
            name: "lz4", package: "liblz4-1", from: .init(1, 9, 4), below: .init(2),
            reason: "1.9.4 mended a decoder that could be led astray by a hostile block",
            loaded: { LoadedLibraries.text("LZ4_versionString") }),
        TestedLibrary(
            name: "CycloneDDS", package: "libddsc0debian", from: .init(0, 10), below: .init(0, 11),
            reason: "the topics' types are compiled by 0.10's tools and fit its library alone",
            loaded: { LoadedLibraries.fileSuffix("libddsc.so.") }),
    ]
}
