/// What the program was asked to do.
enum Command: Equatable, Sendable {
    /// `importing`: the former robot control service's file.
    case serve(configurationFile: String?, importing: String? = nil)
    case checkConfiguration(file: String?, importing: String? = nil)
    case version
    case go2(Go2Command)
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
        if verb == "go2" {
            self = .go2(Go2Command(rest))
            return
        }
        if rest.contains("--help") || rest.contains("-h") {
            self = .help
            return
        }
        var files: [Substring: String] = [:]
        if verb == "serve" || verb == "check-config" {
            while let option = rest.popFirst() {
                let name = option.prefix { $0 != "=" }
                guard name == "--config" || name == "--import" else {
                    self = .misuse("\(verb) does not know \(option)")
                    return
                }
                guard let file = option.contains("=") ? String(option.dropFirst(name.count + 1)) : rest.popFirst()
                else {
                    self = .misuse("\(name) needs a file")
                    return
                }
                files[name] = file
            }
        } else if let extra = rest.first {
            self = .misuse("\(verb) takes no \(extra)")
            return
        }
        switch verb {
        case "serve": self = .serve(configurationFile: files["--config"], importing: files["--import"])
        case "check-config": self = .checkConfiguration(file: files["--config"], importing: files["--import"])
        case "version", "--version": self = .version
        case "help", "--help", "-h": self = .help
        default: self = .misuse("there is no command \(verb)")
        }
    }

    static let usage = """
        avatar-streamer: an AI avatar over WebRTC

        usage: avatar-streamer serve [--config FILE]         serve; without FILE on the embedded defaults
               avatar-streamer check-config [--config FILE]  say what is wrong with FILE, or print what it sets
               avatar-streamer serve|check-config --import FILE   take over the former robot control service's config.yaml as well
               avatar-streamer version                       the versions of this program and of every native library
               avatar-streamer go2 …                         find a Go2 robot, and say why it cannot be connected to
               avatar-streamer go2 --help, avatar-streamer --help

        Every key is explained in config/avatar-streamer.yaml. Environment variables win over the file:
        MANAGEMENT_API_HOST MANAGEMENT_API_PORT WEBSOCKET_HOST WEBSOCKET_PORT WEBSOCKET_URL MAX_SESSIONS
        SESSION_TIMEOUT_SECONDS WEBRTC_PUBLIC_IP WEBRTC_PORT_MIN WEBRTC_PORT_MAX WEBRTC_STUN_SERVER WEBRTC_TURN_SERVER
        WEBRTC_TURN_SERVER_LOCAL WEBRTC_TURN_USERNAME WEBRTC_TURN_PASSWORD LOG_LEVEL

        exit status: 0 done, 64 wrong usage, 69 a port or a part is not available, 78 wrong configuration
        """
}

/// Exit statuses of `sysexits.h`.
enum ExitStatus {
    static let success: Int32 = 0
    /// What was asked for was found wanting: a robot that is not connected.
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    static let unavailable: Int32 = 69
    static let configuration: Int32 = 78
}
