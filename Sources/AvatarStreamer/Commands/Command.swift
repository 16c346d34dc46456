/// What the program was asked to do.
enum Command: Equatable, Sendable {
    case serve(configurationFile: String?)
    case checkConfiguration(file: String?)
    case version
    case help
    /// The arguments make no sense; the text says why.
    case misuse(String)

    /// `arguments` without the program's own name.
    init(_ arguments: [String]) {
        guard let verb = arguments.first else {
            self = .help
            return
        }
        var rest = arguments.dropFirst()
        if rest.contains("--help") || rest.contains("-h") {
            self = .help
            return
        }
        var file: String?
        if verb == "serve" || verb == "check-config" {
            while let option = rest.popFirst() {
                if option.hasPrefix("--config=") {
                    file = String(option.dropFirst("--config=".count))
                } else if option == "--config", let value = rest.popFirst() {
                    file = value
                } else {
                    self = .misuse(
                        option == "--config" ? "--config needs a file" : "\(verb) does not know \(option)")
                    return
                }
            }
        } else if let extra = rest.first {
            self = .misuse("\(verb) takes no \(extra)")
            return
        }
        switch verb {
        case "serve": self = .serve(configurationFile: file)
        case "check-config": self = .checkConfiguration(file: file)
        case "version", "--version": self = .version
        case "help", "--help", "-h": self = .help
        default: self = .misuse("there is no command \(verb)")
        }
    }

    static let usage = """
        avatar-streamer: an AI avatar over WebRTC

        usage: avatar-streamer serve [--config FILE]         serve; without FILE on the embedded defaults
               avatar-streamer check-config [--config FILE]  say what is wrong with FILE, or print what it sets
               avatar-streamer version                       the versions of this program and of every native library
               avatar-streamer --help

        Every key is explained in config/avatar-streamer.yaml. Environment variables win over the file:
        MANAGEMENT_API_HOST MANAGEMENT_API_PORT WEBSOCKET_HOST WEBSOCKET_PORT WEBSOCKET_URL MAX_SESSIONS
        SESSION_TIMEOUT_SECONDS WEBRTC_PUBLIC_IP WEBRTC_PORT_MIN WEBRTC_PORT_MAX WEBRTC_STUN_SERVER WEBRTC_TURN_SERVER
        WEBRTC_TURN_SERVER_LOCAL WEBRTC_TURN_USERNAME WEBRTC_TURN_PASSWORD

        exit status: 0 done, 64 wrong usage, 69 a port or a part is not available, 78 wrong configuration
        """
}

/// Exit statuses of `sysexits.h`.
enum ExitStatus {
    static let success: Int32 = 0
    static let usage: Int32 = 64
    static let unavailable: Int32 = 69
    static let configuration: Int32 = 78
}
