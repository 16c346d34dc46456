internal import Core
internal import Go2Bridge

/// What `avatar-streamer go2 …` was asked to do.
enum Go2Command: Equatable, Sendable {
    case help
    case diagnose(Go2DiagnoseOptions)
    case discover(Go2DiscoverOptions)
    case keys
    /// The arguments make no sense; the text says why.
    case misuse(String)

    /// `arguments` behind `go2`.
    init(_ arguments: ArraySlice<String>) {
        guard let verb = arguments.first, !arguments.contains("--help"), !arguments.contains("-h") else {
            self = .help
            return
        }
        var reader = OptionReader(verb: "go2 \(verb)", arguments.dropFirst())
        do throws(OptionReader.Misuse) {
            switch verb {
            case "diagnose": self = .diagnose(try Go2DiagnoseOptions(&reader))
            case "discover": self = .discover(try Go2DiscoverOptions(&reader))
            case "keys":
                try reader.end()
                self = .keys
            case "help": self = .help
            default: self = .misuse("there is no command go2 \(verb)")
            }
        } catch {
            self = .misuse(error.reason)
        }
    }

    static let usage = """
        avatar-streamer go2: find a Unitree Go2 robot, and say why it cannot be connected to

        usage: avatar-streamer go2 discover [--interface NAME] [--timeout SECONDS] [--json]
                 lists the robots that answer on this machine's networks
               avatar-streamer go2 diagnose ADDRESS [OPTIONS]
               avatar-streamer go2 diagnose --serial SERIAL [OPTIONS]
                 walks the whole way to one robot, step by step, and says which step fails and what mends it
               avatar-streamer go2 keys
                 tells how to get the key that firmware 1.1.15 and later want

        options of diagnose:
          --serial SERIAL     looks for the robot by its serial number first
          --key-file FILE     the robot's key, 32 hexadecimal digits
          --key-env NAME      the same from an environment variable
          --port PORT         where the robot's signaling listens (9991)
          --interface NAME    the only network interface to use
          --no-camera         does not switch the camera on
          --timeout SECONDS   for everything (90)
          --json              prints one JSON object at the end instead of lines meanwhile
          --bundle FILE       writes report, log, versions, platform and interfaces to FILE (.tar.gz), without keys,
                              tokens and serial numbers

        A robot serves one client at a time: stop the server, or take the robot out of its configuration, and close the
        phone app before a diagnosis.

        exit status: 0 the robot is connected, 1 a step failed, 64 wrong usage, 69 a file cannot be written
        """
}

struct Go2DiagnoseOptions: Equatable, Sendable {
    var address: IPAddress?
    var serialNumber: String?
    var keyFile = ""
    var keyEnvironment = ""
    var port = 9991
    var interface: String?
    var usesCamera = true
    var timeoutSeconds = 90
    var usesJSON = false
    var bundle: String?

    init() {}

    init(_ reader: inout OptionReader) throws(OptionReader.Misuse) {
        while let argument = try reader.next() {
            switch argument {
            case "--serial":
                serialNumber = try reader.value("a serial number", where: RobotSearch.isSerialNumber)
            case "--key-file": keyFile = try reader.value("a file", where: { !$0.isEmpty })
            case "--key-env":
                keyEnvironment = try reader.value("the name of a variable", where: { SettingRule.isVariable($0) })
            case "--port": port = try reader.number(1...65_535)
            case "--interface": interface = try reader.value("a network interface", where: { !$0.isEmpty })
            case "--no-camera": usesCamera = false
            case "--timeout": timeoutSeconds = try reader.number(1...3_600)
            case "--json": usesJSON = true
            case "--bundle": bundle = try reader.value("a file", where: { !$0.isEmpty })
            default:
                guard address == nil, !argument.hasPrefix("-") else { throw reader.unknown() }
                guard SettingRule.isHostAddress(argument), let ip = IPAddress(argument) else {
                    throw OptionReader.Misuse("\(reader.verb) needs the robot's IP address, not \"\(argument)\"")
                }
                address = ip
            }
        }
        if address == nil, serialNumber == nil {
            throw OptionReader.Misuse("\(reader.verb) needs the robot's address, or --serial")
        }
        if address != nil, serialNumber != nil {
            throw OptionReader.Misuse("\(reader.verb) takes an address or --serial, not both")
        }
        if !keyFile.isEmpty, !keyEnvironment.isEmpty {
            throw OptionReader.Misuse("\(reader.verb) takes --key-file or --key-env, not both")
        }
    }
}

struct Go2DiscoverOptions: Equatable, Sendable {
    var interface: String?
    var timeoutSeconds = 5
    var usesJSON = false

    init() {}

    init(_ reader: inout OptionReader) throws(OptionReader.Misuse) {
        while let argument = try reader.next() {
            switch argument {
            case "--interface": interface = try reader.value("a network interface", where: { !$0.isEmpty })
            case "--timeout": timeoutSeconds = try reader.number(1...3_600)
            case "--json": usesJSON = true
            default: throw reader.unknown()
            }
        }
    }
}
