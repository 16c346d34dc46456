internal import Glibc
internal import Networking

/// Where an engine connects, and who may: the configuration, checked.
struct EngineEndpoint {
    let endpoint: String
    /// Nil for a socket of this machine's files: the folder's mode is the guard.
    let guardian: ZeroMQServer.Guard?
    /// Of the server; for the child's environment.
    let publicKey: CurveKey?

    init(_ configuration: EngineConfiguration, directory: String) throws(EngineError) {
        let name = configuration.name
        guard EngineHeader.isAvatarID(name), !name.hasPrefix(".") else {
            throw EngineError(
                code: .invalidConfiguration, reason: "an engine named \(name)",
                remedy: "name it with 1 to 64 of A-Z a-z 0-9 . _ -")
        }
        if configuration.endpoint.hasPrefix("tcp://") {
            let keys = try Self.keys(configuration)
            endpoint = configuration.endpoint
            guardian = keys.guardian
            publicKey = keys.publicKey
            return
        }
        guardian = nil
        publicKey = nil
        if configuration.endpoint.isEmpty {
            endpoint = "ipc://" + (try Self.folder(in: directory)) + "/\(name).ipc"
        } else if configuration.endpoint.hasPrefix("ipc://") {
            endpoint = configuration.endpoint
        } else {
            throw EngineError(
                code: .invalidConfiguration, reason: "the endpoint \(configuration.endpoint)",
                remedy: "set engines.\(name).endpoint to ipc://… or tcp://…, or leave it out")
        }
    }

    private static func keys(
        _ configuration: EngineConfiguration
    ) throws(EngineError) -> (guardian: ZeroMQServer.Guard, publicKey: CurveKey) {
        let setting = "engines.\(configuration.name)"
        guard let file = configuration.serverSecretKeyFile, !file.isEmpty else {
            throw EngineError(
                code: .invalidConfiguration, reason: "a TCP endpoint without a key",
                remedy: "set \(setting).server_secret_key_file; keys are made by zmq.curve_keypair()")
        }
        guard let secretKey = readKey(file) else {
            throw EngineError(
                code: .keyUnavailable, reason: "\(file) has no key, or others may read it",
                remedy: "write 40 characters of Z85 into it, and chmod 600 it")
        }
        var allowed: Set<CurveKey> = []
        for text in configuration.clientPublicKeys {
            guard let key = CurveKey(text) else {
                throw EngineError(
                    code: .invalidConfiguration, reason: "\(setting).client_public_keys has a text that is no key",
                    remedy: "give 40 characters of Z85 for each engine")
            }
            allowed.insert(key)
        }
        do {
            let pair = try CurveKeyPair(secretKey: secretKey)
            return (
                ZeroMQServer.Guard(secretKey: secretKey, allowedKeys: allowed, domain: "avatar-engine"), pair.publicKey
            )
        } catch {
            throw EngineError(
                code: .keyUnavailable, reason: error.description, remedy: "make a new key by zmq.curve_keypair()")
        }
    }

    /// Nil where the file is not there, is readable for others, or holds no key.
    private static func readKey(_ path: String) -> CurveKey? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_mode & 0o077 == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return CurveKey(String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    /// The folder of the sockets, for nobody but us.
    private static func folder(in directory: String) throws(EngineError) -> String {
        let path = directory + "/engines"
        let isMade = unsafe mkdir(path, 0o700) == 0 || (errno == EEXIST && chmod(path, 0o700) == 0)
        guard isMade else {
            throw EngineError(
                code: .endpointUnavailable, reason: "the folder \(path) cannot be made: error \(errno)",
                remedy: "make \(directory) writable for the server")
        }
        return path
    }
}
