internal import Core
internal import Glibc
internal import Go2Bridge
internal import Signaling

/// Robots' keys and clients' tokens, from where the configuration says that they are.
enum RobotSecrets {
    /// Why a secret cannot be had, and what mends it.
    struct Fault: Error, Hashable {
        var reason: String
        var remedy: String
    }

    private static let maximumLength = 4096

    /// Nil where the robot has none configured.
    static func key(of robot: Configuration.Robot) throws(Fault) -> RobotKey? {
        if !robot.keyFile.isEmpty { return try key(inFile: robot.keyFile) }
        guard !robot.keyEnvironment.isEmpty else { return nil }
        guard let key = RobotKey(hexadecimal: try variable(robot.keyEnvironment, "the key's 32 hexadecimal digits"))
        else {
            throw Fault(
                reason: "the environment variable \(robot.keyEnvironment) holds no key",
                remedy: "set \(robot.keyEnvironment) to the key's 32 hexadecimal digits")
        }
        return key
    }

    static func key(inFile path: String) throws(Fault) -> RobotKey {
        guard let key = RobotKey(contents: try contents(of: path, "the robot's key")) else {
            throw Fault(
                reason: "the file \(path) holds no key",
                remedy: "put the key's 32 hexadecimal digits alone into \(path)")
        }
        return key
    }

    static func token(of access: Configuration.Access) throws(Fault) -> String {
        if !access.token.isEmpty { return access.token }
        let isFile = !access.tokenFile.isEmpty
        let text =
            isFile
            ? String(decoding: try contents(of: access.tokenFile, "the token"), as: UTF8.self)
            : try variable(access.tokenEnvironment, "the token")
        let token = text.split(whereSeparator: \.isWhitespace)
        guard token.count == 1, let token = token.first.map(String.init), SettingRule.isAccessToken(token) else {
            let place = isFile ? "the file \(access.tokenFile)" : "the environment variable \(access.tokenEnvironment)"
            throw Fault(
                reason: "\(place) holds no token",
                remedy: "a token has 16 to 512 characters without spaces; `openssl rand -hex 16` makes one")
        }
        return token
    }

    private static func variable(_ name: String, _ what: String) throws(Fault) -> String {
        guard let value = unsafe getenv(name) else {
            throw Fault(reason: "the environment variable \(name) is not set", remedy: "set \(name) to \(what)")
        }
        return unsafe String(cString: value)
    }

    private static func contents(of path: String, _ what: String) throws(Fault) -> [UInt8] {
        guard let bytes = FileContent.read(path, maximumLength: maximumLength) else {
            throw Fault(
                reason: "the file \(path) cannot be read",
                remedy: "put \(what) into \(path), readable by the server alone")
        }
        return bytes
    }
}
